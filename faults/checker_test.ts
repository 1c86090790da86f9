import { assert, assertEquals } from "@std/assert";
import { check } from "./checker.ts";
import { ROOM, sampleHistory } from "./checks/sample_history.ts";
import type { History } from "./history.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

type Draft = { -readonly [Key in keyof History]: Mutable<History[Key]> };
type Mutable<T> = T extends readonly (infer Item)[] ? Item[] : T;

/** The checks that complain of a sample after `spoil` has been at it, and what they say. */
function complaints(spoil: (history: Draft) => void): string[] {
  const history = structuredClone(sampleHistory()) as Draft;
  spoil(history);
  return [...new Set(check(history).map(({ check }) => check))];
}

/** A spoiled sample is found by exactly these checks. */
function finds(what: string, checks: string[], spoil: (history: Draft) => void): void {
  Deno.test(what, strict, () => assertEquals(complaints(spoil).sort(), checks.sort()));
}

const send = (history: Draft, text: string) =>
  history.writes.find(({ what }) => what.type === "send" && what.text === text)!;
const connections = (history: Draft, client: string) =>
  history.deliveries.filter((connection) => connection.client === client);
const first = (history: Draft, client: string) => connections(history, client)[0]!;

Deno.test("a good run has no violation, also when it had to do this much", strict, () => {
  const least = { acks: { ws: 5, rest: 5, mqtt: 1 }, deliveries: 30, classes: ["node-kill"] };
  assertEquals(check(sampleHistory(), least), []);
});

Deno.test("an idle run, and a fault that did not happen, are violations", strict, () => {
  const messages = (least: Parameters<typeof check>[1]) =>
    check(sampleHistory(), least).map(({ message }) => message);
  const none = { acks: {}, deliveries: 0, classes: [] };
  assertEquals(messages({ ...none, acks: { mqtt: 2 } }).length, 1);
  assertEquals(messages({ ...none, deliveries: 1000 }).length, 1);
  assertEquals(messages({ ...none, classes: ["node-kill", "redis-kill"] }).length, 1);
  const history = structuredClone(sampleHistory());
  history.faults[0]!.evidence = "";
  assertEquals(check(history, { ...none, classes: ["node-kill"] }).length, 1);
});

finds("an acknowledged message that is not stored is found", ["acknowledged"], (history) => {
  const write = structuredClone(send(history, "six"));
  Object.assign(write.what, { clientId: "ada-lost", text: "lost" });
  write.acks = [{ at: 1430, seq: 15, duplicate: false }];
  history.writes.push(write);
});

finds("a message acknowledged at another seq than its own is found", ["acknowledged"], (h) => {
  send(h, "four").acks[0]!.seq = 14;
});

finds("two acknowledgements of one wish with two seqs are found", ["acknowledged"], (h) => {
  send(h, "four").acks.push({ at: 1500, seq: 14, duplicate: true });
});

finds("two acknowledgements that each say they are the first are found", ["acknowledged"], (h) => {
  send(h, "four").acks.push({ at: 1500, seq: 11, duplicate: false });
});

Deno.test("the first acknowledgement may get lost, and a receipt may come twice", strict, () => {
  const lost = complaints((history) => {
    send(history, "four").acks[0]!.duplicate = true;
    send(history, "three").acks.push({ at: 900, seq: 7, duplicate: false });
  });
  assertEquals(lost, []);
});

finds("a message that says something else than what was sent is found", [
  "acknowledged",
  "content",
  "once",
  "rebuilt",
], (h) => {
  const { event } = h.final[0]!.log[10]!;
  assert("message" in event);
  event.message.text = "six";
  Object.assign(h.final[0]!.messages.find(({ seq }) => seq === 11)!, { text: "six" });
  const given = first(h, "bob-sse").entries.find(({ entry }) => entry.seq === 11)!;
  assert("message" in given.entry.event);
  given.entry.event.message.text = "six";
});

finds(
  "a deletion acknowledged as an entry about something else is found",
  ["acknowledged"],
  (h) => {
    const edit = h.writes.find(({ what }) => what.type === "edit")!;
    Object.assign(edit.what, { target: 6 });
  },
);

finds("a member who was added and is not there is found", ["membership kept"], (history) => {
  const add = structuredClone(history.writes[3]!);
  Object.assign(add.what, { principal: "dan" });
  Object.assign(add, { startedAt: 1500, acks: [{ at: 1520, seq: 0, duplicate: false }] });
  history.writes.push(add);
});

finds("a hole in the numbers is found", ["numbers", "acknowledged", "complete"], (h) => {
  h.final[0]!.log.push({ ...h.final[0]!.log[3]!, seq: 16 });
  h.final[0]!.head = 15;
  send(h, "six").acks = [{ at: 1420, seq: 15, duplicate: false }];
});

finds("a head beyond the log is found", ["numbers", "complete"], (history) => {
  history.final[0]!.head++;
});

finds("two epochs are found", ["numbers"], (history) => {
  history.final[0]!.epoch = "another";
});

finds("a wish that is stored twice by its id is found", ["once"], (history) => {
  history.final[0]!.stored.push({ sender: "ada", clientId: "ada-four", seq: 12 });
});

finds("a message that is stored twice under two ids is found", ["once"], (history) => {
  const { log, messages } = history.final[0]!;
  const copy = structuredClone(log[10]!);
  copy.seq = 15;
  assert("message" in copy.event);
  Object.assign(copy.event.message, { seq: 15, updatedSeq: 15 });
  log.push(copy);
  messages.push(copy.event.message);
  history.final[0]!.head = 15;
  for (const client of ["ada-ws", "bob-sse", "device-mqtt", "cy-ws"]) {
    connections(history, client).at(-1)!.entries.push({ at: 1440, entry: copy, live: true });
  }
});

finds("a refused message that is stored is found", ["once"], (history) => {
  const write = send(history, "four");
  write.acks = [];
  write.refusal = { at: 1400, code: "not_found" };
});

finds("a wish without an answer is found", ["answered"], (history) => {
  send(history, "four").acks = [];
});

Deno.test("a refusal needs a reason", strict, () => {
  const refused = (text: string, code: string) => (history: Draft) => {
    const write = structuredClone(send(history, text));
    Object.assign(write.what, { clientId: "another", text: "another" });
    Object.assign(write, { acks: [], refusal: { at: 1420, code } });
    history.writes.push(write);
  };
  assertEquals(complaints(refused("five", "not_found")), []);
  assertEquals(complaints(refused("five", "client_id_reused")), ["answered"]);
  assertEquals(complaints(refused("six", "internal")), ["answered"]);
  assertEquals(complaints(refused("six", "message_deleted")), ["answered"]);
});

finds("a message by somebody who had been removed is found", ["authors"], (history) => {
  const cy = structuredClone(history.final[0]!.log[12]!);
  cy.event.actor.id = "eve";
  history.final[0]!.log[12] = cy;
  for (const { entries } of history.deliveries) {
    for (const delivery of entries) if (delivery.entry.seq === 13) delivery.entry = cy;
  }
});

finds("an order against the clock is found", ["real time"], (history) => {
  Object.assign(send(history, "one"), { startedAt: 650 });
});

finds("sends over one connection that changed places are found", ["sender order"], (history) => {
  // Sent in this order without waiting, and stored the other way round
  Object.assign(send(history, "four"), { startedAt: 1106 });
  Object.assign(send(history, "six"), { startedAt: 1105 });
});

finds("an entry that came twice is found", ["order"], (history) => {
  const { entries } = first(history, "bob-sse");
  entries.splice(3, 0, entries[2]!);
});

finds("a gap before a later entry is found", ["order", "complete"], (history) => {
  history.accessEnds = [];
  first(history, "bob-sse").entries.splice(3, 1);
});

finds("a replay that begins too late is found", ["order", "complete"], (history) => {
  connections(history, "ada-ws")[1]!.entries.splice(0, 1);
});

finds("a live feed that does not begin after the head is found", ["order"], (history) => {
  first(history, "ada-ws").head = 3;
  connections(history, "ada-ws")[0]!.after = 4;
  connections(history, "ada-ws")[0]!.recovered = false;
});

finds("a tail that never came is found", ["complete"], (history) => {
  history.accessEnds = [];
  first(history, "bob-sse").entries.pop();
});

Deno.test("a reload stands for what it covers, and for no more", strict, () => {
  const reload = (head: number) => (history: Draft) => {
    const [, second] = connections(history, "ada-ws");
    Object.assign(second!, { recovered: false, head: 12, reloaded: { at: 1100, head } });
    second!.entries = second!.entries.filter(({ entry }) => entry.seq > 12);
  };
  assertEquals(complaints(reload(12)), []);
  assertEquals(complaints(reload(11)), ["complete"]);
});

finds("entries to a device that changed places are found", ["order"], (history) => {
  const { entries } = first(history, "device-mqtt");
  [entries[3], entries[4]] = [entries[4]!, entries[3]!];
});

const brokerKilled = { class: "broker-kill", target: "mosquitto", from: 0, to: 1, evidence: "9" };

Deno.test("a device may be given a page again, also after a loss in between", strict, () => {
  assertEquals(
    complaints((history) => {
      history.faults.push(brokerKilled);
      const device = first(history, "device-mqtt");
      const entry = (seq: number) => device.entries.find((one) => one.entry.seq === seq)!;
      device.entries = [3, 4, 5, 8, 9, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14].map(entry);
    }),
    [],
  );
});

finds("an entry that the bridge did not bring to a device is found", ["device feed"], (h) => {
  const device = first(h, "device-mqtt");
  const asked = device.entries.find(({ entry }) => entry.seq === 9)!;
  device.entries = device.entries.filter((one) => one !== asked);
  device.entries.push({ ...asked, live: false });
});

finds("two bridges that bring entries at the same time are found", ["order"], (history) => {
  const device = first(history, "device-mqtt");
  const entry = (seq: number) => device.entries.find((one) => one.entry.seq === seq)!;
  device.entries = [3, 4, 5, 6, 7, 4, 8, 5, 9, 6, 10, 7, 11, 12, 13, 14].map(entry);
});

finds("a device that lost something for ever is found", ["complete"], (history) => {
  history.faults.push(brokerKilled);
  const device = first(history, "device-mqtt");
  device.entries = device.entries.filter(({ entry }) => entry.seq !== 9);
});

finds("an entry with another actor than the log's is found", ["content"], (history) => {
  first(history, "bob-sse").entries[2]!.entry.event.actor.id = "eve";
});

finds("a change that is delivered as if it had not happened is found", ["content"], (history) => {
  const { event } = first(history, "bob-sse").entries.find(({ entry }) => entry.seq === 8)!.entry;
  assert("message" in event);
  Object.assign(event.message, { text: "one", updatedSeq: 5 });
});

finds("a deleted text that is replayed is found", ["content"], (history) => {
  const replay = connections(history, "cy-ws")[1]!;
  replay.after = 5;
  const entry = structuredClone(history.final[0]!.log[5]!);
  assert("message" in entry.event);
  delete entry.event.message.deletedAt;
  Object.assign(entry.event.message, { text: "two", updatedSeq: 6 });
  const rest = first(history, "bob-sse").entries.slice(2, 6).map((d) => ({ ...d, at: 1260 }));
  replay.entries.unshift({ at: 1260, entry, live: true }, ...rest);
});

finds("a clientId that somebody else is given is found", ["content"], (history) => {
  const { event } = first(history, "bob-sse").entries[0]!.entry;
  assert("message" in event);
  event.message.clientId = "ada-one";
});

finds("a fresh read that differs from the log is found", ["rebuilt"], (history) => {
  history.final[0]!.messages = structuredClone(history.final[0]!.messages);
  history.final[0]!.messages[0]!.text = "one";
});

finds("a message that is missing from the fresh read is found", ["rebuilt"], (history) => {
  history.final[0]!.messages.pop();
});

finds("a list of members that differs from the log is found", ["rebuilt"], (history) => {
  history.final[0]!.members.find(({ id }) => id === "bob")!.role = "admin";
});

finds("an entry after the removal is found", ["removed"], (history) => {
  const [before] = connections(history, "cy-ws");
  delete before!.evicted;
  const entry = first(history, "bob-sse").entries.find((one) => one.entry.seq === 11)!;
  before!.entries.push(structuredClone(entry));
});

finds("an entry after the eviction is found", ["removed"], (history) => {
  first(history, "cy-ws").evicted!.at = 950;
});

finds("a stranger who was let in is found", ["removed"], (history) => {
  first(history, "eve-ws").head = 4;
});

finds("an entry long after the logout is found", ["revoked"], (history) => {
  history.accessEnds[0]!.at = -8000;
  history.faults = [];
});

Deno.test("while the bus is disturbed, the end of access may wait for one beacon", strict, () => {
  const bus = { class: "redis-kill", target: "redis", from: -9000, to: 1400, evidence: "cut" };
  const after = (ms: number) => (history: Draft) => {
    history.accessEnds[0]!.at = 1430 - ms;
    history.faults = [bus];
  };
  assertEquals(complaints(after(5500)), []);
  assertEquals(complaints(after(5700)), ["revoked"]);
});

Deno.test("what holds another node is no excuse for the end of access", strict, () => {
  const held = (target: string) => (history: Draft) => {
    history.accessEnds[0]!.at = -8000;
    history.faults = [{
      class: "black-hole-web-postgres",
      target,
      from: -9000,
      to: 0,
      evidence: "9",
    }];
  };
  assertEquals(complaints(held("web1->postgres")), []);
  assertEquals(complaints(held("web2->postgres")), ["revoked"]);
});

finds("a connection that is let in long after the logout is found", ["revoked"], (history) => {
  const again = { ...first(history, "bob-sse"), openedAt: 12_000, head: 14, entries: [] };
  history.deliveries.push({ ...again, after: 14, recovered: true });
});

finds("a wrong list of who is online is found", ["presence"], (history) => {
  history.presence[0]!.online = ["ada"];
});

finds("a list of who is online that is right too late is found", ["presence"], (history) => {
  history.presence[0]!.at = 60_000;
});

finds("a reader that has the head too late is found", ["converged"], (history) => {
  history.convergence!.reached[0]!.at = 7000;
});

finds("a reader that never has the head is found", ["converged"], (history) => {
  history.convergence!.reached.push({ client: "bob-sse", room: ROOM });
});

finds("a process that ends by itself is found", ["processes"], (history) => {
  delete history.exits[0]!.told;
});

finds("a process that does not leave in time is found", ["processes"], (history) => {
  Object.assign(history.exits[0]!, {
    ...{ code: 0, signal: null, at: 5300, told: { signal: "SIGINT", at: 700 } },
  });
});

finds("an error that nobody caught is found", ["processes"], (history) => {
  history.exits[0]!.stderr = "error: Uncaught (in promise) TypeError: x is not a function";
});

Deno.test("a large run is judged in reasonable steps", strict, () => {
  // 2,000 messages to 50 readers: quadratic work over writes or deliveries would not end
  const history = structuredClone(sampleHistory()) as Draft;
  const room = history.final[0]!;
  for (let seq = 15; seq <= 2000; seq++) {
    const text = `text ${seq}`;
    const write = structuredClone(send(history, "six"));
    Object.assign(write.what, { clientId: `ada-${seq}`, text });
    Object.assign(write, { startedAt: seq * 100 });
    write.acks = [{ at: seq * 100 + 20, seq, duplicate: false }];
    history.writes.push(write);
    const entry = structuredClone(room.log[13]!);
    assert("message" in entry.event);
    Object.assign(entry.event.message, { seq, updatedSeq: seq, text });
    room.log.push({ ...entry, seq });
    room.messages.push(entry.event.message);
    room.stored.push({ sender: "ada", clientId: `ada-${seq}`, seq });
  }
  room.head = 2000;
  const rest = room.log.slice(14).map((entry) => ({ at: entry.seq * 100 + 30, entry, live: true }));
  history.accessEnds = [];
  for (const client of ["ada-ws", "bob-sse", "device-mqtt", "cy-ws"]) {
    connections(history, client).at(-1)!.entries.push(...rest);
  }
  for (let i = 0; i < 50; i++) {
    const copy = first(history, "bob-sse");
    history.deliveries.push({ ...copy, client: `bob-${i}` });
  }
  assertEquals(check(history), []);
});
