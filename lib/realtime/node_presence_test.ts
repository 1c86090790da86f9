import { assert, assertEquals } from "@std/assert";
import {
  type ChatNode,
  chatNode,
  chatScene,
  newDevice,
  newLease,
  newPrincipal,
} from "../../testing/chat.ts";
import { RecordedSubscriber } from "../../testing/subscriber.ts";
import { until } from "../../testing/until.ts";
import type { Principal } from "../auth/principal.ts";
import { joinRoom, removeMember, setMember } from "../chat/members.ts";
import { createRoom } from "../chat/rooms.ts";
import { roomPresence } from "../chat/presence.ts";
import { newId } from "../ids.ts";
import { createLog } from "../log.ts";
import { createMemoryPresence } from "../presence/memory.ts";
import type { Presence, PresenceTimes } from "../presence/mod.ts";
import type { RoomId, Signal } from "../protocol.ts";
import { sayStatus } from "../store/device_presence.ts";
import { Hub } from "./hub.ts";
import { createNodePresence, type NodePresence } from "./node_presence.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const FAST: PresenceTimes = { leaseMs: 60_000, graceMs: 20, settleMs: 0 };

type PresenceSignal = Extract<Signal, { type: "presence" }>;

/** What a node is made of in these tests. */
interface NodeOptions {
  times?: Partial<PresenceTimes>;
  maxMembers?: number;
}

/** A store of presence that a test can take away. */
interface Store extends Presence {
  away: boolean;
  /** Takes no leases. */
  full: boolean;
  reads: number;
}

function storeOf(times: PresenceTimes): Store {
  const inner = createMemoryPresence(times);
  return {
    times,
    away: false,
    full: false,
    reads: 0,
    async hold(sessions) {
      return this.away || this.full ? undefined : await inner.hold(sessions);
    },
    async release(sessions, last) {
      return this.away ? false : await inner.release(sessions, last);
    },
    async online(principals) {
      this.reads++;
      return this.away ? undefined : await inner.online(principals);
    },
    another: () => inner.another(),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}

/** One of several nodes with one store and one bus. */
class TestNode {
  readonly hub: Hub;
  readonly presence: NodePresence;

  constructor(readonly chat: ChatNode, maxMembers: number) {
    const { db, bus, log, epoch } = chat;
    this.hub = new Hub({ db, bus, log, replayEntries: 1000, epoch });
    this.presence = createNodePresence({ chat, maxMembers, gatherMs: 20 });
  }

  /** A connection of `who` that joins `room`; the result closes it. */
  async connect(who: Principal, room?: RoomId) {
    const id = newId();
    const subscriber = new PresentSubscriber(who, this.presence);
    this.presence.opened(who.id, id);
    const subscription = room === undefined ? undefined : await subscriber.join(this.hub, room);
    if (subscription !== undefined) this.presence.look(subscription);
    const close = () => {
      if (subscription !== undefined) this.hub.leave(subscription);
      this.presence.closed(id);
    };
    return { subscriber, close };
  }
}

/** Hands entries on as connections do. */
class PresentSubscriber extends RecordedSubscriber {
  constructor(who: Principal, readonly presence: NodePresence) {
    super(who);
  }

  override entries(batch: Parameters<RecordedSubscriber["entries"]>[0]): void {
    this.presence.entries(batch);
    super.entries(batch);
  }

  /** The signals of presence so far. */
  get heard(): PresenceSignal[] {
    return this.signals.filter((signal) => signal.type === "presence");
  }

  /** What is known of `who` by now. */
  stateOf({ id }: Principal): string | undefined {
    let state: string | undefined;
    for (const signal of this.heard) {
      if (signal.state !== "known") state = undefined;
      state = signal.changes.find(({ principal }) => principal === id)?.state ?? state;
    }
    return state;
  }

  async sees(who: Principal, state: string): Promise<void> {
    await until(`${state}`, () => this.stateOf(who) === state);
  }
}

/** A room of `ada` and `bob`, and nodes. */
async function scene({ times = {}, maxMembers = 200 }: NodeOptions = {}) {
  await using stack = new AsyncDisposableStack();
  const { chat, db } = stack.use(await chatScene());
  const store = storeOf({ ...FAST, ...times });
  const [ada, bob] = [await newPrincipal(db), await newPrincipal(db)];
  const { id: room } = await createRoom(chat, ada, { name: "R", visibility: "public" });
  await joinRoom(chat, bob, room);
  const all: TestNode[] = [];
  const node = async (own = db) => {
    const one = {
      ...await chatNode(own, chat.bus),
      presence: store,
      log: createLog("silent"),
    };
    all.push(new TestNode(one, maxMembers));
    return all.at(-1)!;
  };
  stack.defer(async () => {
    await Promise.all(all.map(({ presence }) => presence.stop()));
  });
  const nodes = { a: await node(), b: await node() };
  const opened = stack.move();
  return {
    ...{ chat: { ...chat, presence: store }, db, store, ada, bob, room, node, ...nodes },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

Deno.test("Who comes and goes is told on another node, after the grace", strict, async () => {
  await using s = await scene();
  const { subscriber } = await s.a.connect(s.ada, s.room);
  await subscriber.sees(s.ada, "online");
  assertEquals(subscriber.heard.length, 1);
  assertEquals(subscriber.heard[0]!.changes.length, 2, "at first everybody is told");
  assertEquals(subscriber.stateOf(s.bob), "offline");
  const bob = await s.b.connect(s.bob);
  await subscriber.sees(s.bob, "online");
  bob.close();
  await subscriber.sees(s.bob, "offline");
  assertEquals(subscriber.heard.slice(1), [
    { type: "presence", state: "known", changes: [{ principal: s.bob.id, state: "online" }] },
    { type: "presence", state: "known", changes: [{ principal: s.bob.id, state: "offline" }] },
  ]);
});

Deno.test(
  "Several connections of somebody are one presence, and a reconnect is none",
  strict,
  async () => {
    await using s = await scene({ times: { graceMs: 60_000 } });
    const { subscriber } = await s.a.connect(s.ada, s.room);
    const tab = await s.b.connect(s.bob);
    const phone = await s.a.connect(s.bob);
    await subscriber.sees(s.bob, "online");
    const before = subscriber.heard.length;
    tab.close();
    phone.close();
    const again = await s.b.connect(s.bob);
    // Whoever comes now is told after what came before.
    const eve = await newPrincipal(s.db);
    await joinRoom(s.chat, eve, s.room);
    await subscriber.sees(eve, "offline");
    await s.b.connect(eve);
    await subscriber.sees(eve, "online");
    const told = subscriber.heard.slice(before).flatMap(({ changes }) => changes);
    assertEquals(told.filter(({ principal }) => principal === s.bob.id), []);
    again.close();
  },
);

Deno.test(
  "The connections of a node that died end, whoever holds them no more",
  strict,
  async () => {
    await using s = await scene({ times: { leaseMs: 3_000 } });
    const { subscriber } = await s.a.connect(s.ada, s.room);
    await subscriber.sees(s.ada, "online");
    // Held once by a node that says nothing more.
    await s.store.hold([{ principal: s.bob.id, session: newId() }]);
    await subscriber.sees(s.bob, "online");
    await subscriber.sees(s.bob, "offline");
    assertEquals(subscriber.stateOf(s.ada), "online", "renewed meanwhile");
  },
);

Deno.test(
  "Without the store presence is unknown, and told anew when it is back",
  strict,
  async () => {
    await using s = await scene({ times: { leaseMs: 600 } });
    const { subscriber } = await s.a.connect(s.ada, s.room);
    await s.b.connect(s.bob);
    await subscriber.sees(s.bob, "online");
    s.store.away = true;
    await until("it is unknown", () => subscriber.heard.at(-1)!.state === "unknown");
    assertEquals(subscriber.heard.at(-1)!.changes, []);
    assertEquals(await roomPresence(s.chat, s.ada, s.room, 200), { state: "unknown", items: [] });
    const told = subscriber.heard.length;
    s.store.away = false;
    await subscriber.sees(s.bob, "online");
    const [back] = subscriber.heard.slice(told);
    assertEquals([back!.state, back!.changes.length], ["known", 2], "everybody");
    const offline = subscriber.heard.slice(1).flatMap(({ changes }) => changes)
      .filter(({ state, principal }) => state === "offline" && principal === s.ada.id);
    assertEquals(offline, [], "who is connected here is never called offline here");
  },
);

Deno.test("What changes together is told together", strict, async () => {
  await using s = await scene();
  const many = await Promise.all(Array.from({ length: 30 }, () => newPrincipal(s.db)));
  for (const one of many) await joinRoom(s.chat, one, s.room);
  const { subscriber } = await s.a.connect(s.ada, s.room);
  await subscriber.sees(many[0]!, "offline");
  const before = subscriber.heard.length;
  const reads = s.store.reads;
  for (const one of many) await s.b.connect(one);
  for (const one of many) await subscriber.sees(one, "online");
  const signals = subscriber.heard.length - before;
  assert(signals <= 10, `${signals} signals`);
  assert(s.store.reads - reads <= 20, `${s.store.reads - reads} reads`);
});

Deno.test("Presence is off in rooms with too many members, and comes back", strict, async () => {
  await using s = await scene({ maxMembers: 2 });
  const { subscriber } = await s.a.connect(s.ada, s.room);
  await subscriber.sees(s.ada, "online");
  const eve = await newPrincipal(s.db);
  await joinRoom(s.chat, eve, s.room);
  await until("it is off", () => subscriber.heard.at(-1)!.state === "off");
  assertEquals(await roomPresence(s.chat, s.ada, s.room, 2), { state: "off", items: [] });
  await s.b.connect(s.bob);
  await removeMember(s.chat, s.ada, s.room, eve.id);
  await subscriber.sees(s.bob, "online");
  assertEquals(subscriber.stateOf(eve), undefined);
  const { state, items } = await roomPresence(s.chat, s.ada, s.room, 2);
  assertEquals([state, items.map((item) => item.state)], ["known", ["online", "online"]]);
});

Deno.test("Nobody is told of people who are not in the room with them", strict, async () => {
  await using s = await scene();
  const [stranger, leaver] = [await newPrincipal(s.db), await newPrincipal(s.db)];
  await setMember(s.chat, s.ada, s.room, leaver.id, "member");
  const { subscriber } = await s.a.connect(s.ada, s.room);
  const looking = (await s.a.connect(stranger, s.room)).subscriber;
  const gone = (await s.b.connect(leaver, s.room)).subscriber;
  await gone.sees(leaver, "online");
  await subscriber.sees(leaver, "online");
  await removeMember(s.chat, s.ada, s.room, leaver.id);
  await until("the eviction", () => gone.evictions.length === 1);
  const heard = gone.heard.length;
  await s.b.connect(s.bob);
  await subscriber.sees(s.bob, "online");
  await s.b.connect(stranger);
  assertEquals(gone.heard.length, heard, "nothing after the removal");
  assertEquals(looking.heard, [], "only members are told");
  const told = new Set(subscriber.heard.flatMap(({ changes }) => changes.map((c) => c.principal)));
  assertEquals(told.has(stranger.id), false);
  const { items } = await roomPresence(s.chat, s.ada, s.room, 200);
  assertEquals(items.map(({ principal }) => principal).sort(), [s.ada.id, s.bob.id].sort());
});

Deno.test("Who connects while the store is away is online when it is back", strict, async () => {
  await using s = await scene({ times: { leaseMs: 900 } });
  const { subscriber } = await s.a.connect(s.ada, s.room);
  await subscriber.sees(s.ada, "online");
  s.store.away = true;
  const { close } = await s.b.connect(s.bob);
  const brief = await s.b.connect(s.ada);
  brief.close();
  await until("it is unknown", () => subscriber.heard.at(-1)!.state === "unknown");
  s.store.away = false;
  await subscriber.sees(s.bob, "online");
  close();
  await subscriber.sees(s.bob, "offline");
  assertEquals(subscriber.stateOf(s.ada), "online");
});

Deno.test("Whoever is connected here is not called offline here", strict, async () => {
  await using s = await scene();
  s.store.full = true;
  const { subscriber } = await s.a.connect(s.ada, s.room);
  await subscriber.sees(s.bob, "offline");
  assertEquals(subscriber.stateOf(s.ada), "online");
});

Deno.test("Devices are told of like people, with what is known of them", strict, async () => {
  await using s = await scene({ times: { leaseMs: 500 } });
  const device = await newDevice(s.db, s.ada);
  await setMember(s.chat, s.ada, s.room, device.id, undefined);
  const { subscriber } = await s.a.connect(s.ada, s.room);
  await subscriber.sees(device, "offline");
  const last = () =>
    subscriber.heard.flatMap(({ changes }) => changes)
      .findLast(({ principal }) => principal === device.id);
  assertEquals(last(), { principal: device.id, state: "offline" });
  const lease = await newLease(s.db);
  await sayStatus(s.db, lease, device.id, { online: true, session: 1 }, true);
  const held = [{ principal: device.id, session: newId() }];
  await s.store.hold(held);
  await subscriber.sees(device, "online");
  assertEquals(typeof last()!.lastSeen, "string");
  assertEquals("unstable" in last()!, false);
  for (let session = 2; session <= 4; session++) {
    await sayStatus(s.db, lease, device.id, { online: true, session }, true);
  }
  const flips = async (unstable: true | undefined) => {
    await until(`it is ${unstable ? "un" : ""}stable`, async () => {
      await s.store.hold(held);
      return last()!.unstable === unstable;
    });
    assertEquals(last()!.state, "online");
  };
  await flips(true);
  const { items } = await roomPresence(s.chat, s.ada, s.room, 3);
  assertEquals(items.find(({ principal }) => principal === device.id), last());
  assertEquals(items.length, 3);
  assertEquals((await roomPresence(s.chat, s.ada, s.room, 2)).state, "off", "devices count");
  await s.db.query("update device_status set flapping = false");
  await flips(undefined);
});

Deno.test("Devices stay as unstable as they were while nobody can tell", strict, async () => {
  let fails = false;
  await using s = await scene({ times: { leaseMs: 300 } });
  const device = await newDevice(s.db, s.ada);
  await setMember(s.chat, s.ada, s.room, device.id, undefined);
  await sayStatus(s.db, await newLease(s.db), device.id, { online: true }, true);
  await s.db.query("update device_status set flapping = true");
  const query: typeof s.db.query = (text, ...rest) =>
    fails && /is_unstable/.test(text)
      ? Promise.reject(new Error("on purpose"))
      : s.db.query(text, ...rest);
  const node = await s.node({ ...s.db, query } as typeof s.db);
  const { subscriber } = await node.connect(s.ada, s.room);
  await subscriber.sees(device, "offline");
  const told = () =>
    subscriber.heard.flatMap(({ changes }) => changes)
      .filter(({ principal }) => principal === device.id);
  assertEquals(told().map(({ unstable }) => unstable), [true]);
  fails = true;
  const reads = s.store.reads;
  await until("it was looked at again", () => s.store.reads > reads + 3);
  assertEquals(told().length, 1);
});

Deno.test("A node that stops lets its sessions go with their grace", strict, async () => {
  await using s = await scene({ times: { leaseMs: 900 } });
  const { subscriber } = await s.a.connect(s.ada, s.room);
  await s.b.connect(s.bob, s.room);
  await subscriber.sees(s.bob, "online");
  await s.b.presence.stop();
  assertEquals(s.b.presence.sessions, 0);
  await subscriber.sees(s.bob, "offline");
});

Deno.test("Presence that is turned off asks for nothing and tells nothing", strict, async () => {
  await using s = await scene({ maxMembers: 0 });
  const { subscriber, close } = await s.a.connect(s.ada, s.room);
  assertEquals([s.a.presence.sessions, s.store.reads], [0, 0]);
  assertEquals(await roomPresence(s.chat, s.ada, s.room, 0), { state: "off", items: [] });
  close();
  assertEquals(subscriber.heard, []);
});
