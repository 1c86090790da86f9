import { assertEquals } from "@std/assert";
import { recordedLog } from "../../testing/chat.ts";
import { RecordedSubscriber } from "../../testing/subscriber.ts";
import { until } from "../../testing/until.ts";
import { newId } from "../ids.ts";
import type { LogEntry, LogEvent, PublicPrincipal, RoomId, Signal } from "../protocol.ts";
import { Batch } from "./batch.ts";
import { PresenceWatch, type PresenceWatchOptions } from "./presence_watch.ts";
import { Subscription } from "./subscription.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const ADA: PublicPrincipal = { id: newId(), kind: "user", name: "Ada" };
const BOB: PublicPrincipal = { id: newId(), kind: "user", name: "Bob" };

/** Members who are people. */
const people = (...ids: string[]) => ids.map((id) => ({ id, device: false }));

/** A watch of rooms that ADA and BOB are in; everybody is online unless `options` say otherwise. */
function watching(options: Partial<PresenceWatchOptions> = {}) {
  let hint: (principals: string[]) => void = () => {};
  const watch = new PresenceWatch({
    members: (rooms) =>
      Promise.resolve(new Map(rooms.map((room) => [room, people(ADA.id, BOB.id)]))),
    online: (principals) => Promise.resolve(new Set(principals)),
    hear: (heard) => {
      hint = heard;
      return Promise.resolve(() => {});
    },
    log: recordedLog().log,
    roundMs: 60_000,
    gatherMs: 5,
    ...options,
  });
  /** Somebody who looks at a room from now on. */
  const look = (room: RoomId = newId()) => {
    const subscriber = new RecordedSubscriber({ ...ADA, role: "user" });
    const subscription = new Subscription(room, subscriber);
    subscription.begin(1, "member");
    watch.look(subscription);
    return { room, subscription, signals: subscriber.signals };
  };
  return { watch, look, hint: (...ids: string[]) => hint(ids) };
}

function entryOf(room: RoomId, seq: number, event: Partial<LogEvent>): LogEntry {
  const base = { actor: ADA, at: "2026-01-01T00:00:00.000Z" };
  return { room, epoch: "1", seq, event: { ...base, ...event } as LogEvent };
}

function told(signals: Signal[]) {
  return signals.flatMap((signal) =>
    signal.type === "presence" ? signal.changes.map((one) => `${one.principal} ${one.state}`) : []
  );
}

Deno.test(
  "PresenceWatch tells nothing of who leaves while the members are read",
  strict,
  async () => {
    const reads: PromiseWithResolvers<void>[] = [];
    let present = [ADA.id, BOB.id];
    const { watch, look } = watching({
      members: async (rooms) => {
        const found = new Map(rooms.map((room) => [room, people(...present)]));
        reads.push(Promise.withResolvers());
        await reads.at(-1)!.promise;
        return found;
      },
    });
    const { room, signals } = look();
    await until("the members are read", () => reads.length === 1);
    present = [ADA.id];
    watch.entries(new Batch([entryOf(room, 2, { type: "member.left", principal: BOB })]));
    reads[0]!.resolve();
    await until("they are read again", () => reads.length === 2);
    reads[1]!.resolve();
    await until("it is told", () => signals.length > 0);
    assertEquals(told(signals), [`${ADA.id} online`]);
    await watch.stop();
  },
);

Deno.test(
  "PresenceWatch tells only what is different, and nobody who has left",
  strict,
  async () => {
    let online = [ADA.id, BOB.id];
    let reads = 0;
    const { watch, look, hint } = watching({
      online: (principals) => {
        reads++;
        return Promise.resolve(new Set(principals.filter((id) => online.includes(id))));
      },
    });
    const { room, subscription, signals } = look();
    await until("it is told", () => signals.length === 1);
    const other = look(room);
    hint(BOB.id);
    await until("it was looked at", () => reads === 2);
    online = [ADA.id];
    subscription.ended = true;
    hint(BOB.id, newId());
    await until("the other is told", () => other.signals.length === 1);
    assertEquals(told(other.signals), [`${BOB.id} offline`]);
    assertEquals([signals.length, reads], [1, 3]);
    await watch.stop();
  },
);

Deno.test(
  "PresenceWatch misses nobody who left before what a replay begins with",
  strict,
  async () => {
    let present = [ADA.id, BOB.id];
    let online = [ADA.id, BOB.id];
    const { watch, look, hint } = watching({
      members: (rooms) => Promise.resolve(new Map(rooms.map((room) => [room, people(...present)]))),
      online: (principals) =>
        Promise.resolve(new Set(principals.filter((id) => online.includes(id)))),
    });
    const { room, signals } = look();
    await until("it is told", () => signals.length === 1);
    present = [ADA.id];
    const left = entryOf(room, 2, { type: "member.left", principal: BOB });
    const later = entryOf(room, 3, { type: "member.role" });
    // Somebody comes back who knows the entry before it; then the others here are given both.
    watch.entries(new Batch([later]));
    watch.entries(new Batch([left, later]));
    online = [];
    hint(ADA.id, BOB.id);
    await until("it is told again", () => signals.length > 1);
    assertEquals(told(signals.slice(1)), [`${ADA.id} offline`]);
    await watch.stop();
  },
);

Deno.test("PresenceWatch begins anew for who comes after all have gone", strict, async () => {
  const { watch, look } = watching();
  const first = look();
  await until("it is told", () => first.signals.length === 1);
  // Of a history that has ended, with higher numbers.
  watch.entries(new Batch([entryOf(first.room, 90, { type: "member.joined" })]));
  first.subscription.ended = true;
  const second = look(first.room);
  await until("everybody is told of", () => told(second.signals).length === 2);
  watch.entries(
    new Batch([entryOf(first.room, 2, { type: "member.left", principal: BOB })]),
  );
  // The store still has him, so he is told of again: the entry was looked at.
  await until("he is looked at", () => told(second.signals).length === 3);
  await watch.stop();
});

Deno.test("PresenceWatch watches a bounded number of memberships", strict, async () => {
  const { watch, look } = watching({ maxWatched: 3 });
  const first = look();
  await until("it is told", () => first.signals.length === 1);
  const second = look();
  await until("it is off", () => second.signals.length === 1);
  const off = { type: "presence", state: "off", changes: [] } as const;
  assertEquals([told(first.signals).length, second.signals], [2, [off]]);
  await watch.stop();
});

Deno.test(
  "PresenceWatch reads nothing when nobody looks, or nobody who may be told",
  strict,
  async () => {
    let reads = 0;
    const { watch, look } = watching({
      members: (rooms) => {
        reads++;
        return Promise.resolve(new Map(rooms.map((room) => [room, people(ADA.id)])));
      },
      roundMs: 20,
    });
    const { subscription, signals } = look();
    subscription.role = null;
    const member = look();
    await until("the member is told", () => member.signals.length === 1);
    assertEquals([reads, signals.length], [1, 0]);
    subscription.ended = member.subscription.ended = true;
    await until("nothing is watched", () => watch.size === 0);
    await watch.stop();
  },
);

Deno.test("PresenceWatch goes on when the members cannot be read for a while", strict, async () => {
  let failures = 2;
  const { watch, look } = watching({
    members: (rooms) =>
      failures-- > 0
        ? Promise.reject(new Error("away"))
        : Promise.resolve(new Map(rooms.map((room) => [room, people(ADA.id)]))),
    roundMs: 20,
  });
  const { signals } = look();
  await until("it is told", () => signals.length === 1);
  assertEquals(told(signals), [`${ADA.id} online`]);
  await watch.stop();
});
