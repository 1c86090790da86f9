import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ChatScene, chatScene, newPrincipal, recordedLog } from "../../testing/chat.ts";
import { range, RecordedSubscriber } from "../../testing/subscriber.ts";
import { until } from "../../testing/until.ts";
import type { Principal } from "../auth/principal.ts";
import { entry } from "../bus/contract.ts";
import type { Bus } from "../bus/mod.ts";
import { joinRoom, leaveRoom, removeMember, setMember } from "../chat/members.ts";
import { deleteMessage, editMessage, sendMessage } from "../chat/messages.ts";
import { changeRoom, createRoom, signalTyping } from "../chat/rooms.ts";
import type { Database } from "../database/mod.ts";
import { ConfabError } from "../errors.ts";
import type { RoomId } from "../protocol.ts";
import { Hub } from "./hub.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

interface Node {
  hub: Hub;
  epoch: { value: string };
  lines: string[];
}

function node(
  { chat, db }: ChatScene,
  options: { bus?: Bus; db?: Database; replayEntries?: number; replayBytes?: number } = {},
): Node {
  const { log, lines } = recordedLog();
  const epoch = { value: chat.epoch.value };
  const hub = new Hub({ db, bus: chat.bus, log, replayEntries: 1000, epoch, ...options });
  return { hub, epoch, lines };
}

async function publicRoom({ chat, db }: ChatScene): Promise<{ owner: Principal; room: RoomId }> {
  const owner = await newPrincipal(db);
  const { id } = await createRoom(chat, owner, { name: "Room", visibility: "public" });
  return { owner, room: id };
}

let count = 0;
function say(scene: ChatScene, sender: Principal, room: RoomId, text = "hello") {
  return sendMessage(scene.chat, sender, room, `c${++count}`, { text });
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => promise, ConfabError)).code;
}

/** A database whose next answer is held back until `open()`, after it was read. */
function heldDatabase(db: Database, match: RegExp) {
  let held: PromiseWithResolvers<void> | undefined;
  let reading: PromiseWithResolvers<void> | undefined;
  return {
    hold() {
      held = Promise.withResolvers();
      reading = Promise.withResolvers();
    },
    /** Resolves when an answer is held. */
    reached: () => reading!.promise,
    open: () => held!.resolve(),
    db: {
      query: async (text: string, values, options) => {
        const rows = await db.query(text, values, options);
        if (held !== undefined && match.test(text)) {
          const { promise } = held;
          reading!.resolve();
          await promise;
        }
        return rows;
      },
      transaction: (statements, options) => db.transaction(statements, options),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    } as Database,
  };
}

Deno.test("Hub delivers live entries in order and once", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const { hub } = node(scene);
  const reader = new RecordedSubscriber(owner);
  await reader.join(hub, room);
  assertEquals(reader.joined?.view.head, 1);
  assertEquals(reader.joined?.recovered, undefined);
  await Promise.all(Array.from({ length: 200 }, () => say(scene, owner, room)));
  await until("all arrived", () => reader.seen.length >= 200);
  assertEquals(reader.seqs(), range(2, 201));
});

Deno.test("Hub shows a clientId to the sender only", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const other = await newPrincipal(scene.db);
  await joinRoom(scene.chat, other, room);
  const { hub } = node(scene);
  const mine = new RecordedSubscriber(owner);
  const mineToo = new RecordedSubscriber(owner);
  const theirs = new RecordedSubscriber(other);
  for (const subscriber of [mine, mineToo, theirs]) await subscriber.join(hub, room);
  await Promise.all([
    sendMessage(scene.chat, owner, room, "owner-1", { text: "a" }),
    sendMessage(scene.chat, other, room, "other-1", { text: "b" }),
  ]);
  await until("all arrived", () => theirs.seen.length === 2 && mine.seen.length === 2);
  const ids = ({ seen }: RecordedSubscriber) =>
    seen.map(({ event }) => "message" in event ? event.message.clientId : "?");
  assertEquals(ids(mine).filter((id) => id !== undefined), ["owner-1"]);
  assertEquals(ids(mineToo).filter((id) => id !== undefined), ["owner-1"]);
  assertEquals(ids(theirs).filter((id) => id !== undefined), ["other-1"]);
  const late = new RecordedSubscriber(other);
  await late.join(hub, room, { after: 0 });
  assertEquals(ids(late).filter((id) => id !== undefined && id !== "?"), ["other-1"]);
});

Deno.test("join() recovers exactly what came after the cursor", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  for (let i = 0; i < 9; i++) await say(scene, owner, room);
  const { hub, epoch } = node(scene);
  for (const after of [0, 5, 10]) {
    const reader = new RecordedSubscriber(owner);
    await reader.join(hub, room, { after, epoch: epoch.value });
    assertEquals([reader.joined?.recovered, reader.seqs()], [true, range(after + 1, 10)]);
    assertEquals(reader.story[0], "joined");
  }
});

Deno.test("join() says recovered: false for a cursor it cannot serve whole", strict, async () => {
  await using scene = await chatScene();
  const { hub, epoch } = node(scene, { replayEntries: 5 });
  const cases = [
    { cursor: { after: 11, epoch: epoch.value }, recovered: false }, // ahead of the head
    { cursor: { after: 11 }, recovered: false },
    { cursor: { after: 9, epoch: "another" }, recovered: false },
    { cursor: { after: 2, epoch: epoch.value }, recovered: false }, // below the floor
    { cursor: { after: 4, epoch: epoch.value }, recovered: false }, // six entries
    { cursor: { after: 5, epoch: epoch.value }, recovered: true }, // five entries
  ];
  for (const { cursor, recovered } of cases) {
    const { owner, room } = await publicRoom(scene);
    for (let i = 0; i < 9; i++) await say(scene, owner, room);
    await scene.db.query("update rooms set floor = 3 where id = $1", [room]);
    const reader = new RecordedSubscriber(owner);
    await reader.join(hub, room, cursor);
    assertEquals(reader.joined?.recovered, recovered, JSON.stringify(cursor));
    await say(scene, owner, room);
    await until("live from the next one", () => reader.seqs().at(-1) === 11);
    assertEquals(reader.seqs(), range(recovered ? 6 : 11, 11));
  }
});

Deno.test("join() refuses rooms that the principal may not see", strict, async () => {
  await using scene = await chatScene();
  const owner = await newPrincipal(scene.db);
  const { id } = await createRoom(scene.chat, owner, { name: "Secret", visibility: "private" });
  const { room } = await publicRoom(scene);
  const stranger = new RecordedSubscriber(await newPrincipal(scene.db));
  const device = new RecordedSubscriber(await newPrincipal(scene.db, "device"));
  const { hub } = node(scene);
  assertEquals(await refusal(stranger.join(hub, id)), "not_found");
  assertEquals(await refusal(stranger.join(hub, crypto.randomUUID())), "not_found");
  assertEquals(await refusal(device.join(hub, room)), "not_found");
  await stranger.join(hub, room);
  assertEquals(stranger.joined?.view.role, null);
  assertEquals(hub.rooms, 1);
});

Deno.test("A message sent while somebody joins is delivered once (P2, P5)", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const { hub } = node(scene);
  let last = 1;
  for (let round = 0; round < 60; round++) {
    const cursor = round % 2 === 0 ? undefined : { after: last };
    const readers = range(1, 3).map(() => new RecordedSubscriber(owner));
    const sends = range(1, 8).map(async (i) => {
      for (let n = 0; n < i; n++) await Promise.resolve();
      return await say(scene, owner, room);
    });
    const joins = readers.map((reader) => reader.join(hub, room, cursor));
    const subscriptions = await Promise.all(joins);
    const seqs = (await Promise.all(sends)).map(({ seq }) => seq);
    const head = Math.max(...seqs);
    for (const reader of readers) {
      await until("the last one", () => {
        return (reader.seqs().at(-1) ?? reader.joined!.view.head) === head;
      });
      const from = cursor === undefined ? reader.joined!.view.head : last;
      assertEquals(reader.seqs(), range(from + 1, head));
    }
    subscriptions.forEach((subscription) => hub.leave(subscription));
    last = head;
  }
  assertEquals(hub.rooms, 0);
});

Deno.test("A removed member gets nothing later than the removal (P7)", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const { hub } = node(scene);
  for (let round = 0; round < 30; round++) {
    const guest = await newPrincipal(scene.db);
    await joinRoom(scene.chat, guest, room);
    const reader = new RecordedSubscriber(guest);
    const joining = round % 3;
    if (joining !== 0) await reader.join(hub, room);
    const all = [
      ...range(1, 5).map(() => say(scene, owner, room)),
      removeMember(scene.chat, owner, room, guest.id),
      ...range(1, 5).map(() => say(scene, owner, room)),
    ];
    if (joining === 0) await reader.join(hub, room).catch(() => {});
    await Promise.all(all);
    const { seq } = await say(scene, owner, room);
    if (reader.joined?.view.role !== "member") continue;
    await until("evicted", () => reader.evictions.length > 0);
    assertEquals(reader.evictions, [{ room, code: "removed" }]);
    const last = reader.seen.at(-1)!;
    assertEquals(last.event.type, "member.removed");
    assertEquals(reader.seqs(), range(reader.joined.view.head + 1, last.seq));
    assert(last.seq < seq);
    assertEquals(reader.story.at(-1), "evicted:removed");
  }
});

Deno.test("A removal whose notice was lost still ends access at its place", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const guest = await newPrincipal(scene.db);
  await joinRoom(scene.chat, guest, room);
  const { hub } = node(scene);
  const reader = new RecordedSubscriber(guest);
  await reader.join(hub, room);
  const silent = { ...scene.chat, bus: (await import("../bus/memory.ts")).createMemoryBus() };
  await removeMember(silent, owner, room, guest.id);
  await say(scene, owner, room);
  await until("evicted", () => reader.evictions.length > 0);
  assertEquals(reader.story, ["joined", "entry:3", "evicted:removed"]);
});

Deno.test("Making a public room private ends those who are not members", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const { hub } = node(scene);
  const visitor = new RecordedSubscriber(await newPrincipal(scene.db));
  const member = new RecordedSubscriber(await newPrincipal(scene.db));
  const joiner = new RecordedSubscriber(await newPrincipal(scene.db));
  await joinRoom(scene.chat, member.principal, room);
  for (const subscriber of [visitor, member, joiner]) await subscriber.join(hub, room);
  await joinRoom(scene.chat, joiner.principal, room);
  await changeRoom(scene.chat, owner, room, { visibility: "private" });
  const { seq } = await say(scene, owner, room);
  await until("delivered", () => member.seqs().at(-1) === seq && joiner.seqs().at(-1) === seq);
  assertEquals(visitor.evictions, [{ room, code: "removed" }]);
  assertEquals(visitor.seqs().at(-1), seq - 1);
  assertEquals([member.evictions, joiner.evictions], [[], []]);
});

Deno.test("A member who leaves is evicted at the entry that says so", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const { hub } = node(scene);
  const guest = new RecordedSubscriber(await newPrincipal(scene.db));
  await joinRoom(scene.chat, guest.principal, room);
  await guest.join(hub, room);
  await leaveRoom(scene.chat, guest.principal, room);
  await say(scene, owner, room);
  await until("evicted", () => guest.evictions.length > 0);
  assertEquals(guest.story, ["joined", "entry:3", "evicted:removed"]);
});

Deno.test("A subscription follows the role of its member", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const { hub } = node(scene);
  const guest = new RecordedSubscriber(await newPrincipal(scene.db));
  const subscription = await guest.join(hub, room);
  assertEquals(subscription.role, null);
  await joinRoom(scene.chat, guest.principal, room);
  await until("member", () => subscription.role === "member");
  await setMember(scene.chat, owner, room, guest.principal.id, "reader");
  await until("reader", () => subscription.role === "reader");
});

Deno.test("Ending a subscription while it joins leaves nothing behind", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const held = heldDatabase(scene.db, /log_page.*true/s);
  const { hub } = node(scene, { db: held.db });
  const reader = new RecordedSubscriber(owner);
  held.hold();
  const joining = reader.join(hub, room);
  await held.reached();
  assertEquals(hub.rooms, 1);
  held.open();
  hub.leave(await joining);
  assertEquals(hub.rooms, 0);
  await say(scene, owner, room);
  assertEquals(reader.seen, []);
});

Deno.test("A room stays when its last subscriber leaves while another joins", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const held = heldDatabase(scene.db, /log_page.*true/s);
  const { hub } = node(scene, { db: held.db });
  const [first, second] = [new RecordedSubscriber(owner), new RecordedSubscriber(owner)];
  const subscription = await first.join(hub, room);
  held.hold();
  const joining = second.join(hub, room);
  await held.reached();
  hub.leave(subscription);
  await say(scene, owner, room);
  held.open();
  await joining;
  await until("delivered", () => second.seen.length === 1);
  assertEquals([first.seqs(), second.seqs()], [[], [2]]);
});

Deno.test("The beacon finds the last message whose notice was lost (P6)", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const bus = (await import("../bus/memory.ts")).createMemoryBus();
  const { hub } = node(scene, { bus });
  const reader = new RecordedSubscriber(owner);
  await reader.join(hub, room);
  await say(scene, owner, room);
  await say(scene, owner, room);
  await hub.beacon();
  await until("delivered", () => reader.seen.length === 2);
  assertEquals(reader.seqs(), [2, 3]);
  await hub.beacon();
  assertEquals(reader.told, [{ [room]: 3 }]);
  await hub.beacon();
  assertEquals(reader.told.length, 1);
});

Deno.test(
  "A message that comes while the beacon reads is no restored history",
  strict,
  async () => {
    await using scene = await chatScene();
    const { owner, room } = await publicRoom(scene);
    const held = heldDatabase(scene.db, /r\.head from instance/);
    const { hub, epoch } = node(scene, { db: held.db });
    const reader = new RecordedSubscriber(owner);
    await reader.join(hub, room);
    held.hold();
    const beacon = hub.beacon();
    await held.reached();
    await say(scene, owner, room);
    held.open();
    await beacon;
    assertEquals([reader.evictions, epoch.value], [[], scene.chat.epoch.value]);
  },
);

Deno.test("heads are told after the entries they count", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const held = heldDatabase(scene.db, /r\.head from instance/);
  const { hub } = node(scene, { db: held.db });
  const reader = new RecordedSubscriber(owner);
  await reader.join(hub, room);
  held.hold();
  const beacon = hub.beacon();
  await held.reached();
  const { publish } = scene.chat.bus;
  const kept: Parameters<typeof publish>[0][] = [];
  const later = { ...scene.chat.bus, publish: (entries: (typeof kept)[0]) => kept.push(entries) };
  const { chatNode } = await import("../../testing/chat.ts");
  const chat = await chatNode(scene.db, later as unknown as Bus);
  await sendMessage(chat, owner, room, "k", { text: "k" });
  held.open();
  // Accepted by the feed in the very turn in which the beacon tells the heads.
  queueMicrotask(() => publish(kept[0]!));
  await beacon;
  await until("delivered", () => reader.seen.length === 1);
  const first = reader.story.indexOf("heads");
  assert(first === -1 || first > reader.story.indexOf("entry:2"), reader.story.join(" "));
});

Deno.test("A head below the one served means another history", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const { room: second } = await publicRoom(scene);
  const { hub, epoch } = node(scene);
  const old = epoch.value;
  const reader = new RecordedSubscriber(owner);
  for (const id of [room, second]) await reader.join(hub, id);
  await say(scene, owner, room);
  await until("delivered", () => reader.seen.length === 1);
  await scene.db.query("delete from entries where room_id = $1 and seq = 2", [room]);
  await scene.db.query("update rooms set head = 1, message_count = 0 where id = $1", [room]);
  await hub.beacon();
  const codes = reader.evictions.map(({ room, code }) => `${room} ${code}`).sort();
  assertEquals(codes, [`${room} epoch_changed`, `${second} epoch_changed`].sort());
  assert(epoch.value !== old);
  const [row] = await scene.db.query("select epoch from instance");
  assertEquals(row, { epoch: epoch.value });
  const again = new RecordedSubscriber(owner);
  await again.join(hub, room, { after: 1, epoch: old });
  assertEquals(again.joined?.recovered, false);
  await hub.beacon();
  assertEquals(again.evictions, []);
});

Deno.test(
  "An entry that is announced with an old epoch arrives with the present one",
  strict,
  async () => {
    await using scene = await chatScene();
    const { owner, room } = await publicRoom(scene);
    const { hub, epoch } = node(scene);
    await scene.db.query("update instance set epoch = 'restored'");
    epoch.value = "restored";
    const reader = new RecordedSubscriber(owner);
    await reader.join(hub, room);
    assert(scene.chat.epoch.value !== "restored");
    await say(scene, owner, room);
    await until("it arrived", () => reader.seen.length > 0);
    assertEquals(reader.seen.map(({ seq, epoch }) => ({ seq, epoch })), [
      { seq: 2, epoch: "restored" },
    ]);
  },
);

Deno.test("A new epoch reaches every room, also when a join sees it first", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const { room: second } = await publicRoom(scene);
  const { hub } = node(scene);
  const reader = new RecordedSubscriber(owner);
  await reader.join(hub, room);
  await scene.db.query("update instance set epoch = 'restored'");
  const other = new RecordedSubscriber(owner);
  await other.join(hub, second);
  assertEquals(other.joined?.view.epoch, "restored");
  await hub.beacon();
  assertEquals(reader.evictions, [{ room, code: "epoch_changed" }]);
  assertEquals(other.evictions, []);
});

Deno.test("A beacon that a reset overtakes takes nothing for restored", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  await say(scene, owner, room);
  const held = heldDatabase(scene.db, /r\.head from instance/);
  const { hub, epoch } = node(scene, { db: held.db });
  const reader = new RecordedSubscriber(owner);
  await reader.join(hub, room);
  await scene.db.query("update instance set epoch = 'restored'");
  await scene.db.query("delete from entries where room_id = $1 and seq > 1", [room]);
  await scene.db.query("update rooms set head = 1, message_count = 0 where id = $1", [room]);
  held.hold();
  const beacon = hub.beacon();
  await held.reached();
  // As a join does that has seen it first.
  epoch.value = "restored";
  held.open();
  await beacon;
  assertEquals(epoch.value, "restored");
  assertEquals(await scene.db.query("select epoch from instance"), [{ epoch: "restored" }]);
});

Deno.test("A room that opens takes nothing of the history before", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const held = heldDatabase(scene.db, /r\.head from instance/);
  const { hub, epoch } = node(scene, { db: held.db });
  const old = epoch.value;
  await scene.db.query("update instance set epoch = 'restored'");
  held.hold();
  const reader = new RecordedSubscriber(owner);
  const joining = reader.join(hub, room);
  await held.reached();
  scene.chat.bus.publish([{ ...entry(room, 2), epoch: old }]);
  held.open();
  await joining;
  await say(scene, owner, room);
  await until("it arrived", () => reader.seen.length > 0);
  assertEquals(reader.seen.map(({ seq, epoch }) => ({ seq, epoch })), [
    { seq: 2, epoch: "restored" },
  ]);
});

Deno.test("A join under way when the history is reset begins in the new one", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  for (let i = 0; i < 9; i++) await say(scene, owner, room);
  const held = heldDatabase(scene.db, /log_page.*true/s);
  const { hub } = node(scene, { db: held.db });
  const reader = new RecordedSubscriber(owner);
  await reader.join(hub, room);
  held.hold();
  const late = new RecordedSubscriber(owner);
  const joining = late.join(hub, room);
  await held.reached();
  await scene.db.query("delete from entries where room_id = $1 and seq > 5", [room]);
  await scene.db.query("update rooms set head = 5, message_count = 4 where id = $1", [room]);
  await hub.beacon();
  held.open();
  assertEquals(await refusal(joining), "unavailable");
  const again = new RecordedSubscriber(owner);
  await again.join(hub, room);
  const { seq } = await say(scene, owner, room);
  await until("delivered", () => again.seqs().includes(seq));
  assertEquals(again.seqs(), [6]);
});

Deno.test("A replay too large for one outbox is not begun", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  for (let i = 0; i < 5; i++) await say(scene, owner, room, "x".repeat(10_000));
  const { hub } = node(scene, { replayBytes: 30_000 });
  const [all, some] = [new RecordedSubscriber(owner), new RecordedSubscriber(owner)];
  await all.join(hub, room, { after: 1 });
  assertEquals([all.joined?.recovered, all.seqs()], [false, []]);
  await some.join(hub, room, { after: 4 });
  assertEquals([some.joined?.recovered, some.seqs()], [true, [5, 6]]);
});

Deno.test("A subscriber that throws does not keep the others from theirs", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const { hub, lines } = node(scene);
  const broken = new RecordedSubscriber(owner);
  await broken.join(hub, room);
  broken.entries = () => {
    throw new Error("broken on purpose");
  };
  broken.evicted = () => {
    throw new Error("broken on purpose");
  };
  const reader = new RecordedSubscriber(owner);
  await reader.join(hub, room);
  await say(scene, owner, room);
  await say(scene, owner, room);
  await until("delivered", () => reader.seen.length === 2);
  assert(lines.length > 0);
});

Deno.test("Signals reach those who have joined, and nobody after the removal", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const { hub } = node(scene);
  const guest = new RecordedSubscriber(await newPrincipal(scene.db));
  const reader = new RecordedSubscriber(owner);
  await joinRoom(scene.chat, guest.principal, room);
  await guest.join(hub, room);
  await reader.join(hub, room);
  signalTyping(scene.chat, owner, room);
  await until("typing", () => guest.signals.length === 1 && reader.signals.length === 1);
  await removeMember(scene.chat, owner, room, guest.principal.id);
  signalTyping(scene.chat, owner, room);
  await until("typing", () => reader.signals.length === 2);
  assertEquals(guest.signals.length, 1);
});

Deno.test("A deleted text is in no replay", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const { seq } = await say(scene, owner, room, "very secret");
  await deleteMessage(scene.chat, owner, room, seq);
  const { hub } = node(scene);
  const reader = new RecordedSubscriber(owner);
  await reader.join(hub, room, { after: 0 });
  assertEquals(reader.seqs(), [1, 2, 3]);
  assert(!JSON.stringify(reader.seen).includes("very secret"));
});

Deno.test("An old message that changes is empty for those who may not see it", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  const { seq } = await say(scene, owner, room, "old words");
  const guest = new RecordedSubscriber(await newPrincipal(scene.db));
  await joinRoom(scene.chat, guest.principal, room);
  await scene.db.query("update members set visible_from = 3 where principal_id = $1", [
    guest.principal.id,
  ]);
  const { hub } = node(scene);
  const reader = new RecordedSubscriber(owner);
  for (const subscriber of [guest, reader]) await subscriber.join(hub, room, { after: 0 });
  await editMessage(scene.chat, owner, room, seq, { text: "old words, edited" });
  await say(scene, guest.principal, room, "new");
  await until("delivered", () => guest.seqs().at(-1) === 5 && reader.seqs().at(-1) === 5);
  assertEquals([guest.seqs(), reader.seqs()], [[3, 4, 5], [1, 2, 3, 4, 5]]);
  assert(!JSON.stringify(guest.seen).includes("old words"));
  assert(JSON.stringify(reader.seen).includes("old words, edited"));
  const own = guest.seen.at(-1)!.event;
  assert("message" in own && own.message.clientId !== undefined);
});

Deno.test("A join fails when the database does, and the next one works", strict, async () => {
  await using scene = await chatScene();
  const { owner, room } = await publicRoom(scene);
  let broken = true;
  const db: Database = {
    query: (text, values, options) =>
      broken ? Promise.reject(new Error("away")) : scene.db.query(text, values, options),
    transaction: (statements) => scene.db.transaction(statements),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const { hub } = node(scene, { db });
  const reader = new RecordedSubscriber(owner);
  await assertRejects(() => reader.join(hub, room), Error, "away");
  assertEquals(hub.rooms, 0);
  broken = false;
  await reader.join(hub, room);
  await say(scene, owner, room);
  await until("delivered", () => reader.seen.length === 1);
});
