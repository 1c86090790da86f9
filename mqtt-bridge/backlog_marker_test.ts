import { assertEquals } from "@std/assert";
import { ConfabError } from "../lib/errors.ts";
import { createLog } from "../lib/log.ts";
import { until } from "../testing/until.ts";
import { BacklogMarker } from "./backlog_marker.ts";
import { DevicePresence } from "./device_presence.ts";
import { Topics } from "./topics.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** A marker, on a clock that stands still, and what it has sent. */
function marking() {
  const sent: string[] = [];
  const caughtUp: number[] = [];
  const refused: unknown[] = [];
  const state = { now: 0, error: undefined as unknown };
  const marker = new BacklogMarker({
    topics: new Topics("confab/"),
    publisher: {
      publish: (topic) => {
        sent.push(topic);
        return state.error === undefined ? Promise.resolve() : Promise.reject(state.error);
      },
    },
    caughtUp: (at) => caughtUp.push(at),
    refused: (error) => refused.push(error),
    now: () => state.now,
    idleMs: 5_000,
  });
  const pass = (ms: number, isIdle = false) => {
    state.now += ms;
    if (!isIdle) marker.hurry();
    marker.tick();
  };
  return { sent, caughtUp, refused, state, marker, pass };
}

Deno.test("a marker counts when the one after it is back", strict, () => {
  const { sent, caughtUp, marker, pass } = marking();
  pass(0);
  pass(1_000);
  assertEquals(sent.length, 1, "one at a time");
  marker.received(sent[0]!);
  assertEquals(caughtUp, []);
  pass(1_000);
  // A pause of a minute: what was sent before says nothing of it.
  pass(60_000);
  marker.received(sent[1]!);
  assertEquals(caughtUp, [0]);
  pass(0);
  marker.received(sent.at(-1)!);
  assertEquals(caughtUp, [0, 2_000]);
  pass(1_000);
  marker.received(sent.at(-1)!);
  assertEquals(caughtUp, [0, 2_000, 62_000]);
  marker.received(sent[0]!);
  marker.received("something else");
  assertEquals(caughtUp.length, 3);
});

Deno.test("a marker that is lost is followed by others, and the first that is back counts", () => {
  const { sent, caughtUp, marker, pass } = marking();
  for (let i = 0; i < 100; i++) pass(1_000);
  assertEquals(sent.length, 7, "not many wait where all waits");
  marker.received(sent[4]!);
  marker.received(sent[3]!);
  marker.received(sent[5]!);
  assertEquals(caughtUp, [61_000]);
  marker.forget();
  marker.received(sent[6]!);
  pass(0);
  marker.received(sent.at(-1)!);
  assertEquals(caughtUp.length, 1, "another connection begins anew");
});

Deno.test("while no device speaks there are few markers", strict, () => {
  const { sent, marker, pass } = marking();
  for (let i = 0; i < 60; i++) {
    pass(1_000, true);
    marker.received(sent.at(-1)!);
  }
  assertEquals(sent.length, 12);
  pass(1_000);
  assertEquals(sent.length, 13);
});

Deno.test("a broker that refuses markers says so", strict, async () => {
  const { refused, state, pass } = marking();
  state.error = new ConfabError("forbidden");
  pass(0);
  await Promise.resolve();
  await Promise.resolve();
  assertEquals(refused, [state.error]);
});

Deno.test(
  "with a broker that refuses markers, what was heard is all there was",
  strict,
  async () => {
    const stop = new AbortController();
    const lines: string[] = [];
    let listened: { fromMs: number; toMs: number } | undefined;
    const presence = new DevicePresence({
      topics: new Topics("confab/"),
      publisher: { publish: () => Promise.reject(new ConfabError("forbidden")) },
      statuses: {
        presence: undefined,
        hint: () => {},
        say: () => Promise.reject(new ConfabError("unavailable")),
        online: () => Promise.resolve([]),
        saveHeard: (_, heard) => {
          listened = heard.listened;
          return Promise.resolve(true);
        },
      },
      lease: { name: "bridge:0", holder: "me", term: 1 },
      log: createLog("warn", (line) => lines.push(line)),
      signal: stop.signal,
      heardMs: 5,
    });
    const running = presence.run();
    presence.connected();
    await until("it is written", () => listened !== undefined && listened.fromMs > listened.toMs);
    assertEquals(lines.length, 1, "and said once");
    stop.abort();
    await running;
  },
);
