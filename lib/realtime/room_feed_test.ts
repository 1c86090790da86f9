import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { range, RecordedSubscriber } from "../../testing/subscriber.ts";
import { until } from "../../testing/until.ts";
import type { Principal } from "../auth/principal.ts";
import { entry } from "../bus/contract.ts";
import type { LogEntry } from "../protocol.ts";
import { type FeedSource, RoomFeed } from "./room_feed.ts";
import { Subscription } from "./subscription.ts";
import { Turn } from "./turn.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const READER: Principal = { id: "reader", kind: "user", role: "user", name: "Reader" };

/** What waits for the next turn of the event loop is done. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** A feed of "room" whose store holds the entries 1 to `stored()`. */
function scene(stored: () => number, source: Partial<FeedSource> = {}) {
  let reads = 0;
  const ended: string[] = [];
  const lost: string[] = [];
  const failures: unknown[] = [];
  const feed = new RoomFeed(
    "room",
    {
      read: async (_, from, to) => {
        reads++;
        await Promise.resolve();
        const last = Math.min(to, stored());
        return last < from ? [] : range(from, last).map((seq) => entry("room", seq));
      },
      failed: (_, error) => failures.push(error),
      lost: (room) => lost.push(room),
      threw: (error) => failures.push(error),
      ...source,
    },
    new Turn(),
    (subscription, code) => {
      ended.push(code);
      feed.subscriptions.delete(subscription);
    },
  );
  const reader = new RecordedSubscriber(READER);
  const subscription = new Subscription("room", reader);
  feed.subscriptions.add(subscription);
  return { feed, reader, subscription, ended, lost, failures, reads: () => reads };
}

Deno.test("RoomFeed hands over in order and once whatever the bus does", strict, async () => {
  const arrivals = fc.record({
    head: fc.integer({ min: 0, max: 30 }),
    total: fc.integer({ min: 1, max: 60 }),
    notices: fc.array(
      fc.record({ at: fc.nat(), length: fc.integer({ min: 1, max: 5 }), reach: fc.boolean() }),
      { maxLength: 80 },
    ),
    // The turns of the event loop between which the notices arrive.
    pauses: fc.array(fc.boolean(), { maxLength: 80 }),
    begin: fc.nat(10),
  });
  await fc.assert(
    fc.asyncProperty(arrivals, async ({ head, total, notices, pauses, begin }) => {
      const last = head + total;
      const { feed, reader, subscription } = scene(() => last);
      feed.start(head);
      let begun = false;
      const goLive = () => {
        if (begun) return;
        begun = true;
        subscription.begin(head, "member");
      };
      for (const [i, { at, length, reach }] of notices.entries()) {
        if (i === begin) goLive();
        const from = 1 + at % last;
        const to = Math.min(last, from + length - 1);
        if (reach) feed.reach(to);
        else feed.entries(range(from, to).map((seq) => entry("room", seq)));
        if (pauses[i]) await new Promise((resolve) => setImmediate(resolve));
      }
      goLive();
      feed.reach(last);
      await until("all arrived", () => reader.seqs().at(-1) === last);
      assertEquals(reader.seqs(), range(head + 1, last));
    }),
    { numRuns: 150 },
  );
});

Deno.test("RoomFeed drops what it held from before its start", strict, async () => {
  const { feed, reader, subscription, reads } = scene(() => 1400);
  for (const seq of range(1, 1200)) feed.entries([entry("room", seq)]);
  feed.start(1200);
  subscription.begin(1200, "member");
  for (const seq of range(1201, 1400)) feed.entries([entry("room", seq)]);
  await until("all arrived", () => reader.seqs().at(-1) === 1400);
  assertEquals([reader.seqs(), reads()], [range(1201, 1400), 0]);
});

Deno.test("RoomFeed fills a gap from the store", strict, async () => {
  const { feed, reader, subscription, reads } = scene(() => 1203);
  feed.start(0);
  subscription.begin(0, "member");
  feed.entries([entry("room", 1203)]);
  await until("all arrived", () => reader.seqs().at(-1) === 1203);
  assertEquals([reader.seqs(), reads()], [range(1, 1203), 3]);
});

Deno.test("RoomFeed believes the store when an announced entry is not there", strict, async () => {
  let stored = 3;
  const { feed, reader, subscription, reads } = scene(() => stored);
  feed.start(2);
  subscription.begin(2, "member");
  feed.reach(900_000);
  await until("the one that exists", () => reader.seqs().at(-1) === 3);
  await until("it asked again", () => reads() === 2);
  stored = 4;
  feed.reach(4);
  await until("the next one", () => reader.seqs().at(-1) === 4);
  assertEquals([reader.seqs(), reads()], [[3, 4], 3]);
});

Deno.test("RoomFeed gives up a room whose entries are gone from the store", strict, async () => {
  let reads = 0;
  const { feed, lost, reader } = scene(() => 0, {
    read: (_, __, to) => Promise.resolve(++reads > 5 ? [] : [entry("room", to)]),
  });
  feed.start(2);
  feed.reach(9);
  await until("given up", () => lost.length > 0 || reads > 5);
  assertEquals([lost, reads, reader.seqs()], [["room"], 1, []]);
});

Deno.test("RoomFeed tries again at the next notice when the store fails", strict, async () => {
  let broken = true;
  const { feed, reader, subscription, failures } = scene(() => 5, {
    read: (_, from, to) => {
      if (broken) return Promise.reject(new Error("away"));
      return Promise.resolve(range(from, to).map((seq) => entry("room", seq)));
    },
  });
  feed.start(2);
  subscription.begin(2, "member");
  feed.reach(5);
  await until("failed", () => failures.length === 1);
  broken = false;
  feed.reach(5);
  await until("all arrived", () => reader.seqs().at(-1) === 5);
  assertEquals(reader.seqs(), [3, 4, 5]);
});

Deno.test("RoomFeed takes nothing of a read that ends after its close", strict, async () => {
  const answer = Promise.withResolvers<LogEntry[]>();
  const { feed, reader, subscription } = scene(() => 0, { read: () => answer.promise });
  feed.start(2);
  subscription.begin(2, "member");
  feed.reach(3);
  feed.close();
  answer.resolve([entry("room", 3)]);
  await answer.promise;
  await new Promise((resolve) => setImmediate(resolve));
  assertEquals([reader.seqs(), feed.head], [[], 2]);
});

Deno.test("RoomFeed ends a subscription that joins for too long", strict, async () => {
  const { feed, ended, reader } = scene(() => 3000);
  feed.start(0);
  feed.reach(3000);
  await until("ended", () => ended.length > 0);
  assertEquals([ended, reader.seen.length], [["overloaded"], 0]);
});

Deno.test("RoomFeed passes at most 100 signals in one turn", strict, async () => {
  const { feed, reader, subscription } = scene(() => 0);
  feed.start(0);
  subscription.begin(0, "member");
  for (let i = 0; i < 1000; i++) feed.signal({ type: "typing", principal: READER });
  await until("signals", () => reader.signals.length > 0);
  assert(reader.signals.length === 100);
});

Deno.test("RoomFeed passes telemetry to members only", strict, async () => {
  const { feed, reader, subscription } = scene(() => 0);
  const guest = new RecordedSubscriber({ ...READER, id: "guest" });
  const looking = new Subscription("room", guest);
  feed.subscriptions.add(looking);
  feed.start(0);
  subscription.begin(0, "member");
  looking.begin(0, null);
  const at = new Date(0).toISOString();
  feed.signal({ type: "telemetry", device: "d", readings: [{ metric: "t", value: 1, at }] });
  feed.signal({ type: "typing", principal: READER });
  const types = (one: RecordedSubscriber) => one.signals.map(({ type }) => type);
  await until("signals", () => types(guest).length > 0);
  assertEquals([types(reader), types(guest)], [["telemetry", "typing"], ["typing"]]);
});

Deno.test("RoomFeed cuts off no slow reader with what devices say", strict, async () => {
  const { feed, reader, subscription } = scene(() => 0);
  const slow = new RecordedSubscriber({ ...READER, id: "slow" });
  const behind = new Subscription("room", slow);
  feed.subscriptions.add(behind);
  feed.start(0);
  for (const one of [subscription, behind]) one.begin(0, "member");
  slow.bufferedBytes = 100_000;
  const device = { id: "d", kind: "device", name: "D" } as const;
  const reported = { text: "x".repeat(8000) };
  const versions = { desiredVersion: 0, reportedVersion: 1 };
  feed.signal({ type: "state", device, reported, ...versions, delta: {} });
  const at = new Date(0).toISOString();
  feed.signal({ type: "telemetry", device: "d", readings: [{ metric: "t", value: 1, at }] });
  feed.signal({ type: "typing", principal: READER });
  const types = (one: RecordedSubscriber) => one.signals.map(({ type }) => type);
  await until("signals", () => types(slow).length > 0);
  assertEquals([types(reader), types(slow)], [["state", "telemetry", "typing"], ["typing"]]);
  slow.bufferedBytes = 0;
  await until("it is told", () => types(slow).length > 1);
  assertEquals([types(reader).length, types(slow)], [3, ["typing", "missed"]]);
  // More in one turn than is kept is missed by all.
  for (let i = 0; i < 101; i++) {
    feed.signal({ type: "state", device, reported, ...versions, delta: {} });
  }
  const missed = (one: RecordedSubscriber) => types(one).filter((type) => type === "missed").length;
  await until("both are told", () => missed(reader) === 1 && missed(slow) === 2);
  assertEquals(types(reader).filter((type) => type === "state").length, 101);
  slow.bufferedBytes = 100_000;
  feed.signal({ type: "state", device, reported, ...versions, delta: {} });
  await turn();
  feed.close();
  await turn();
});

Deno.test("RoomFeed with many subscribers gathers entries and loses none", strict, async () => {
  const { feed, reader, subscription } = scene(() => 50);
  const others = Array.from({ length: 500 }, () => {
    const other = new Subscription("room", new RecordedSubscriber(READER));
    other.begin(0, "member");
    return other;
  });
  for (const other of others) feed.subscriptions.add(other);
  feed.start(0);
  subscription.begin(0, "member");
  for (const seq of range(1, 50)) {
    feed.entries([entry("room", seq)]);
    await turn();
  }
  await until("everything has arrived", () => reader.seqs().length >= 50);
  assertEquals(reader.seqs(), range(1, 50));
  feed.close();
  await turn();
});

Deno.test("RoomFeed that is closed while it gathers leaves no timer behind", strict, async () => {
  const { feed, reader, subscription } = scene(() => 2);
  for (let i = 0; i < 500; i++) {
    feed.subscriptions.add(new Subscription("room", new RecordedSubscriber(READER)));
  }
  feed.start(0);
  subscription.begin(0, "member");
  feed.entries([entry("room", 1)]);
  await until("the first has arrived", () => reader.seqs().length === 1);
  feed.entries([entry("room", 2)]);
  feed.close();
  await turn();
});

/** Entries 1 to `count`, each with so many characters of text. */
function long(count: number, chars: number): LogEntry[] {
  return range(1, count).map((seq) => {
    const one = entry("room", seq);
    return { ...one, event: Object.assign({ note: "x".repeat(chars) }, one.event) };
  });
}

Deno.test(
  "RoomFeed hands over much in slices, between which outboxes are written",
  strict,
  async () => {
    const s = scene(() => 0);
    const sizes: number[] = [];
    const take = s.reader.entries.bind(s.reader);
    s.reader.entries = (batch) => {
      sizes.push(batch.frames.length);
      take(batch);
    };
    s.subscription.begin(0, "member");
    s.feed.start(0);
    s.feed.entries(long(2000, 1000));
    await until("all arrived", () => s.reader.seen.length === 2000);
    assertEquals(s.reader.seqs(), range(1, 2000));
    assert(sizes.every((size) => size < 300_000), `${sizes}`);
    assertEquals(s.reads(), 0);
  },
);

Deno.test(
  "RoomFeed keeps no more than it can hand over soon, and reads the rest",
  strict,
  async () => {
    const all = long(20_000, 1000);
    const s = scene(() => 0, {
      read: (_, from, to) => Promise.resolve(all.slice(from - 1, Math.min(to, from + 499))),
    });
    s.subscription.begin(0, "member");
    s.feed.start(0);
    s.reader.bufferedBytes = 1_000_000;
    for (let at = 0; at < all.length; at += 100) s.feed.entries(all.slice(at, at + 100));
    assert(s.feed.head! < 6000, `${s.feed.head} were kept`);
    assertEquals(s.feed.handedOver, 0);
    s.reader.bufferedBytes = 0;
    await until("all arrived", () => s.reader.seen.length >= all.length);
    assertEquals(s.reader.seqs(), range(1, all.length));
  },
);

Deno.test("RoomFeed waits for readers that are full, but not for ever", strict, async () => {
  const s = scene(() => 0);
  const quick = new RecordedSubscriber({ ...READER, id: "quick" });
  const other = new Subscription("room", quick);
  s.feed.subscriptions.add(other);
  s.subscription.begin(0, "member");
  other.begin(0, "member");
  s.feed.start(0);
  s.reader.bufferedBytes = quick.bufferedBytes = 1_000_000;
  s.feed.entries(long(3, 10));
  s.feed.flush();
  assertEquals(quick.seqs(), []);
  await until("it was handed over", () => quick.seen.length === 3);
  // One of two is no reason to wait.
  quick.bufferedBytes = 0;
  s.feed.entries(long(5, 10).slice(3));
  s.feed.flush();
  assertEquals(quick.seqs(), range(1, 5));
  s.feed.close();
  // The turn that was asked for before the flush by hand.
  await new Promise((resolve) => setImmediate(resolve));
});
