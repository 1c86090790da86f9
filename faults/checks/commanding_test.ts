import { assert, assertEquals } from "@std/assert";
import type { LogEvent, Message, MessageCommand, PublicPrincipal } from "../../lib/protocol.ts";
import { check } from "../checker.ts";
import type { FinalRoom, History, WriteKind, WriteRecord } from "../history.ts";
import type { DeviceRecords } from "../history_devices.ts";
import { commands } from "./commands.ts";
import { indexRooms } from "./room_index.ts";
import { ROOM, sampleHistory } from "./sample_history.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const EPOCH = "epoch";
const C1 = "command-1";

type Draft = Omit<History, "writes" | "final"> & {
  writes: WriteRecord[];
  final: FinalRoom[];
  devices: DeviceRecords;
};

const at = (seq: number) => new Date(seq * 100).toISOString();
const principal = (id: string): PublicPrincipal => ({
  id,
  name: id,
  kind: id === "device" ? "device" : "user",
});

/** Appends an entry, with the wish that made it, and gives it to every reader who is still there. */
function append(history: Draft, actor: string, event: object, what?: WriteKind): void {
  const [room] = history.final;
  const seq = ++room!.head;
  const whole = { actor: principal(actor), at: at(seq), ...event } as LogEvent;
  const entry = { room: ROOM, epoch: EPOCH, seq, event: whole };
  room!.log.push(entry);
  if (whole.type === "message.created") room!.messages.push(whole.message);
  for (const client of ["ada-ws", "device-mqtt", "cy-ws"]) {
    const connection = history.deliveries.findLast((one) => one.client === client)!;
    connection.entries.push({ at: seq * 100 + 30, entry: structuredClone(entry), live: true });
  }
  if (what === undefined) return;
  if ("clientId" in what) room!.stored.push({ sender: actor, clientId: what.clientId, seq });
  const via = what.type === "answer" ? "mqtt" : "rest";
  const acks = [{ at: seq * 100 + 20, seq, duplicate: false }];
  if (what.type === "command") Object.assign(acks[0]!, { command: C1 });
  history.writes.push({ actor, room: ROOM, via, what, startedAt: seq * 100, tries: 1, acks });
}

function message(seq: number, sender: string, more: Partial<Message>): Message {
  return {
    ...{ room: ROOM, seq, sender: principal(sender), at: at(seq), attachments: [] },
    ...{ updatedSeq: seq, ...more },
  };
}

/** Ada asks the device for something, which it does, and wishes; so does cy, for what was seen. */
function sample(): Draft {
  const history = structuredClone(sampleHistory()) as Draft;
  const asked = { name: "work", args: { speed: 1 } };
  const command: MessageCommand = {
    ...{ id: C1, device: "device", ...asked, status: "done", expiresAt: at(50), answer: 16 },
  };
  const first = message(15, "ada", { text: "/cmd", command, updatedSeq: 17 });
  append(history, "ada", { type: "message.created", message: first }, {
    ...{ type: "command", clientId: "ask", device: "device", ...asked, timeoutSeconds: 3 },
  });
  const reply = message(16, "device", { text: "did it, try 1", replyTo: 15 });
  append(history, "device", { type: "message.created", message: reply }, {
    ...{ type: "answer", clientId: `command:${C1}`, command: C1, ok: true, says: "did it, try " },
  });
  append(history, "device", { type: "command.updated", target: 15, message: first });
  const wish = (actor: string, seq: number, desired: { [key: string]: number }, what: object) =>
    append(history, actor, {
      ...{ type: "device.state", device: principal("device"), state: { version: seq, desired } },
    }, { type: "desire", clientId: `wish-${seq}`, device: "device", ...what } as WriteKind);
  wish("ada", 18, { speed: 1 }, { merge: false, desired: { speed: 1 } });
  wish("cy", 19, { speed: 1, mode: 2 }, { merge: true, desired: { mode: 2 }, version: 18 });
  const desired = { speed: 1, mode: 2 };
  const state = {
    ...{ device: principal("device"), desired, desiredVersion: 19 },
    ...{ reported: { speed: 1, up: 5 }, reportedVersion: 1, delta: { mode: 2 } },
  };
  const about = { device: "device", room: ROOM };
  const given = (version: number, retained = false) => ({
    ...{ ...about, at: version * 100 + 40, connection: 1, retained },
    given: { version, desired: version === 18 ? { speed: 1 } : desired, delta: { mode: 2 } },
  });
  history.devices = {
    commands: [1545, 1640].map((time) => ({
      ...{ device: "device", at: time },
      command: { commandId: C1, room: ROOM, seq: 15, ...asked, expiresAt: at(50) },
    })),
    desired: [given(18), given(19), given(19, true)],
    reports: [{ ...about, at: 1990, reported: { up: 5, speed: 1 } }],
    looks: [{ room: ROOM, askedAt: 1950, at: 1960, state: structuredClone(state) }],
    settled: [{
      ...{ ...about, at: 3000, state: structuredClone(state) },
      ...{ kept: { version: 19, desired, delta: { mode: 2 } }, said: { up: 5, speed: 1 } },
    }],
  };
  const { id, status, answer, expiresAt } = command;
  const [device, sender] = [{ id: "device" }, { id: "ada" }];
  history.final[0]!.commands = [
    { ...{ id, seq: 15, device, sender, name: "work", status, expiresAt }, answer: answer! },
  ];
  history.final[0]!.states = [structuredClone(state)];
  Object.assign(history.convergence!, { lastAckAt: 1920 });
  history.convergence!.reached[0]!.at = 1930;
  return history;
}

function complaints(spoil: (history: Draft) => void): string[] {
  const history = sample();
  spoil(history);
  return [...new Set(check(history).map(({ check }) => check))];
}

/** A spoiled sample is found by exactly these checks. */
function finds(what: string, checks: string[], spoil: (history: Draft) => void): void {
  Deno.test(what, strict, () => assertEquals(complaints(spoil).sort(), checks.sort()));
}

/** Everywhere: in the log, in the list, and in what was delivered. */
function everyCommand(history: Draft, change: (command: MessageCommand) => void): void {
  const entries = history.deliveries.flatMap((one) => one.entries.map(({ entry }) => entry));
  const shown = new Set<MessageCommand>();
  for (const { event } of [...history.final[0]!.log, ...entries]) {
    if ("message" in event && event.message.command) shown.add(event.message.command);
  }
  for (const command of shown) change(command);
  change(history.final[0]!.commands[0] as unknown as MessageCommand);
}

const kind = (history: Draft, type: WriteKind["type"], nth = 0) =>
  history.writes.filter(({ what }) => what.type === type)[nth]!;

Deno.test("a run with a command and wishes has no violation", strict, () => {
  assertEquals(check(sample()), []);
});

finds("a command that ended after its time is found", ["commands"], (history) => {
  everyCommand(history, (command) => command.expiresAt = at(16));
  for (const { command } of history.devices.commands) command.expiresAt = at(16);
});

finds("a command that never ends is found", ["commands"], (history) => {
  everyCommand(history, (command) => command.status = "queued");
});

finds("a command that expired before its time is found", ["commands"], (history) => {
  everyCommand(history, (command) => command.status = "expired");
});

Deno.test("a command that is done in another stay of its device is found", strict, () => {
  const history = sample();
  const rooms = indexRooms(history);
  const [room] = rooms.values();
  const [stay] = room!.memberships.get("device")!;
  const memberships = (to: number) =>
    new Map([...room!.memberships, ["device", [{ ...stay!, to }, { from: to + 1, to: Infinity }]]]);
  const found = (to: number) =>
    commands(history, new Map([[ROOM, { ...room!, memberships: memberships(to) }]])).length;
  assertEquals([found(16), found(17)], [1, 0]);
});

finds("an answer that is stored twice is found", ["commands", "once", "complete"], (history) => {
  const reply = message(20, "device", { text: "did it, try 2", replyTo: 15 });
  const { log, messages } = history.final[0]!;
  const event = { actor: principal("device"), at: at(20), message: reply };
  log.push({ room: ROOM, epoch: EPOCH, seq: 20, event: { type: "message.created", ...event } });
  messages.push(reply);
  history.final[0]!.head = 20;
});

finds("an answer that its device did not give is found", ["commands"], (history) => {
  const what = kind(history, "answer").what;
  assert(what.type === "answer");
  what.says = "did nothing, try ";
});

finds("a receipt that names another answer is found", ["acknowledged", "commands"], (history) => {
  kind(history, "answer").acks.push({ at: 1700, seq: 17, duplicate: true });
});

finds("a cancelled command that was done is found", ["commands"], (history) => {
  history.writes.push({
    ...{ actor: "ada", room: ROOM, via: "rest", startedAt: 1750, tries: 1 },
    what: { type: "cancel", command: C1 },
    acks: [{ at: 1760, seq: 0, duplicate: false }],
  });
});

finds("an answer that was refused as late, and counts, is found", ["commands"], (history) => {
  Object.assign(kind(history, "answer"), { acks: [], tries: 2 });
  kind(history, "answer").refusal = { at: 1700, code: "command_settled" };
});

finds("a command given to another device is found", ["commands"], (history) => {
  history.devices.commands[0]!.device = "another";
});

finds("an end that a reader was not shown is found", ["commands"], (history) => {
  const { entries } = history.deliveries.findLast(({ client }) => client === "cy-ws")!;
  const { event } = entries.find(({ entry }) => entry.seq === 17)!.entry;
  assert("message" in event);
  event.message.command!.status = "queued";
});

finds("a wish for a version that was overtaken is found", ["desired states"], (history) => {
  const what = kind(history, "desire", 1).what;
  assert(what.type === "desire");
  what.version = 0;
});

finds("a wish that was refused though nobody was first is found", ["desired states"], (history) => {
  const refused = structuredClone(kind(history, "desire", 1));
  Object.assign(refused.what, { clientId: "refused", version: 19 });
  Object.assign(refused, { acks: [], refusal: { at: 2000, code: "version_conflict" } });
  history.writes.push(refused);
});

finds("a lost wish is found", ["desired states"], (history) => {
  const lost = structuredClone(kind(history, "desire", 0));
  Object.assign(lost.what, { clientId: "lost" });
  lost.acks[0]!.seq = 18;
  history.writes.push(lost);
});

finds("a change that forgot what was before is found", ["desired states"], (history) => {
  const what = kind(history, "desire", 1).what;
  assert(what.type === "desire");
  what.merge = false;
});

finds("a device that is given an older state again is found", ["desired states"], (history) => {
  history.devices.desired.push({ ...history.devices.desired[0]!, at: 2100 });
});

Deno.test("over another connection an older state may come again", strict, () => {
  const again = complaints(({ devices }) => {
    const [old, _, newest] = devices.desired;
    devices.desired.push({ ...old!, connection: 2 }, { ...newest!, connection: 2 });
  });
  assertEquals(again, []);
});

finds("a read that overlooks a wish is found", ["desired states"], (history) => {
  const { state } = history.devices.looks[0]!;
  Object.assign(state, { desired: { speed: 1 }, desiredVersion: 18, delta: {} });
});

finds("a difference that is none is found", ["desired states"], (history) => {
  history.devices.looks[0]!.state.delta = { speed: 1, mode: 2 };
});

finds("a retained topic that is behind is found", ["states kept"], (history) => {
  history.devices.settled[0]!.kept = { version: 18, desired: { speed: 1 } };
});

finds("a retained topic that has something else to do is found", ["states kept"], (history) => {
  delete history.devices.settled[0]!.kept!.delta;
});

finds("a report that got lost is found", ["states kept"], (history) => {
  history.devices.settled[0]!.said = { up: 6, speed: 1 };
});

Deno.test("a run with too few commands is found", strict, () => {
  const least = { acks: {}, kinds: { command: 2, desire: 2 }, deliveries: 0, classes: [] };
  assertEquals(check(sample(), least).map(({ check }) => check), ["work done"]);
});
