import { assert, assertEquals } from "@std/assert";
import { newId } from "../lib/ids.ts";
import { createLog } from "../lib/log.ts";
import type { LogEntry } from "../lib/protocol.ts";
import { range } from "../testing/subscriber.ts";
import { until } from "../testing/until.ts";
import { Outbound } from "./outbound.ts";
import type { BridgeStore, LogWatcher, ReadEntry } from "./ports.ts";
import { Topics } from "./topics.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const topics = new Topics("confab/");
const room = newId();
const someone = { id: newId(), kind: "user" as const, name: "S" };

interface Publish {
  topic: string;
  payload: string;
  retain: boolean;
  answer(): void;
  fail(error: Error): void;
}

function entry(seq: number): ReadEntry {
  const at = new Date(0).toISOString();
  const event = { type: "room.updated", actor: someone, at } as LogEntry["event"];
  return { room, epoch: "e", seq, event, readAt: new Date() };
}

function created(seq: number): LogEntry {
  const { event: { actor, at }, ...rest } = entry(seq);
  const message = { room, seq, sender: actor, at, text: "t", attachments: [], updatedSeq: seq };
  return { ...rest, event: { type: "message.created", actor, at, message } };
}

/** One room with devices in it, whose broker answers when the test says so. */
function fixture(count: number, answered = Promise.resolve()) {
  const devices = Array.from({ length: count }, () => newId());
  const stop = new AbortController();
  const log = { head: 0 };
  const waiting = new Set<Publish>();
  const saved: number[] = [];
  const reading = { asked: 0, pages: 0 };
  const watched = Promise.withResolvers<LogWatcher>();
  const store = {
    rooms: () =>
      Promise.resolve({ epoch: "e", rooms: [{ room, head: log.head, cursor: 0, firstJoined: 1 }] }),
    devicesAt: async () => {
      const found = devices.map((id) => ({ id, visibleFrom: 1 }));
      reading.asked++;
      await answered;
      return found;
    },
    entries: (_room: string, after: number, limit: number) => {
      reading.pages++;
      return Promise.resolve(range(after + 1, Math.min(log.head, after + limit)).map(entry));
    },
    saveCursors: (_lease: unknown, cursors: ReadonlyMap<string, number>) => {
      saved.push(...cursors.values());
      return Promise.resolve(true);
    },
  } as unknown as BridgeStore;
  const outbound = new Outbound({
    topics,
    store,
    publisher: {
      publish: (topic, payload, { retain = false } = {}) =>
        new Promise((resolve, reject) => {
          if (stop.signal.aborted) return reject(new Error("The connection is over"));
          const publish: Publish = { topic, payload, retain, answer, fail: reject };
          function answer() {
            waiting.delete(publish);
            resolve();
          }
          waiting.add(publish);
        }),
    },
    desired: { publish: () => Promise.resolve(), showAll: () => {} },
    lease: { name: "l", holder: "h", term: 1 },
    log: createLog("silent"),
    watch: (_, watcher) => {
      watched.resolve(watcher);
      return Promise.resolve(() => {});
    },
    beaconSeconds: 60,
    signal: stop.signal,
    onDeposed: () => {},
  });
  const running = outbound.run();
  return {
    ...{ devices, waiting, saved, reading, outbound, watched: watched.promise },
    log,
    reach: (head: number) => outbound.notice(room, log.head = head),
    async [Symbol.asyncDispose]() {
      stop.abort();
      for (const { fail } of waiting) fail(new Error("The connection is over"));
      await running;
    },
  };
}

Deno.test("a device whose access ends while its room is read gets nothing", strict, async () => {
  const answer = Promise.withResolvers<void>();
  await using f = fixture(2, answer.promise);
  f.reach(3);
  await until("the room is read", () => f.reading.asked === 1);
  const gone = f.devices.shift()!;
  f.outbound.forget(gone);
  answer.resolve();
  const published: string[] = [];
  await until("the cursor is stored", () => {
    for (const publish of [...f.waiting]) {
      published.push(publish.topic);
      publish.answer();
    }
    return f.saved.at(-1) === 3;
  });
  const events = topics.events(f.devices[0]!, room);
  assertEquals(published.filter((topic) => topic === events).length, 3);
  assertEquals(published.filter((topic) => topic.includes(gone)), []);
});

Deno.test("no head waits for a device whose access has ended", strict, async () => {
  await using f = fixture(1);
  const [device] = f.devices;
  const heads: string[] = [];
  const settle = () => {
    for (const publish of [...f.waiting]) {
      if (publish.topic === topics.head(device!, room)) heads.push(publish.payload);
      publish.answer();
    }
  };
  f.reach(1);
  await until("it is shown a head", () => {
    settle();
    return heads.length > 0 && f.saved.at(-1) === 1;
  });
  f.devices.pop();
  f.outbound.forget(device!);
  settle();
  assertEquals(heads.at(-1), "");
});

Deno.test(
  "entries that were told of are not read, unless they must be repeated",
  strict,
  async () => {
    await using f = fixture(1);
    const watcher = await f.watched;
    const delivered: number[] = [];
    const settle = (refuse = 0) => {
      for (const publish of [...f.waiting]) {
        const { retain, payload, answer, fail } = publish;
        const { seq } = JSON.parse(payload);
        if (!retain && seq === refuse) {
          f.waiting.delete(publish);
          fail(new Error("The connection is over"));
        } else {
          if (!retain) delivered.push(seq);
          answer();
        }
      }
    };
    const untilStored = (head: number) =>
      until(`the cursor is stored at ${head}`, () => {
        settle();
        return f.saved.at(-1) === head;
      });
    watcher.entries([1, 2, 3].map(created));
    await untilStored(3);
    assertEquals([delivered, f.reading.pages], [[1, 2, 3], 0]);
    f.reach(4);
    await untilStored(4);
    assertEquals(f.reading.pages, 1);
    delivered.length = 0;
    watcher.entries([created(5)]);
    await until("it is on its way", () => [...f.waiting].some(({ retain }) => !retain));
    f.log.head = 5;
    settle(5);
    await untilStored(5);
    assertEquals([delivered, f.reading.pages], [[5], 2]);
  },
);

Deno.test("a broker that takes no heads does not keep the cursors back", strict, async () => {
  await using f = fixture(1);
  for (const head of [3, 5, 7]) {
    f.reach(head);
    await until(`the cursor is stored at ${head}`, () => {
      for (const publish of [...f.waiting]) if (!publish.retain) publish.answer();
      return f.saved.at(-1) === head;
    });
  }
  assert([...f.waiting].some(({ retain }) => retain), "a head waits");
});

Deno.test(
  "a broker that does not answer is not flooded, and gets all in order",
  strict,
  async () => {
    await using f = fixture(1000);
    f.reach(20);
    await until("some are on their way", () => f.waiting.size > 0);
    f.reach(30);
    const got = new Map(f.devices.map((id) => [topics.events(id, room), [] as number[]]));
    let most = 0;
    await until("each device has all", () => {
      most = Math.max(most, f.waiting.size);
      for (const { topic, payload, answer } of [...f.waiting]) {
        got.get(topic)?.push(JSON.parse(payload).seq);
        answer();
      }
      return [...got.values()].every((seqs) => seqs.length >= 30);
    });
    assert(most <= 512, `${most} at once`);
    for (const seqs of got.values()) assertEquals(seqs, range(1, 30));
  },
);
