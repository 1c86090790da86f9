import { assert, assertEquals, assertRejects } from "@std/assert";
import { removeMember } from "../lib/chat/members.ts";
import { telemetrySeries } from "../lib/chat/telemetry.ts";
import { DatabaseError, type DatabaseFailure } from "../lib/database/mod.ts";
import { ConfabError } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import type { Signal, TelemetryRule } from "../lib/protocol.ts";
import { laneScene } from "../testing/telemetry_lane.ts";
import { until } from "../testing/until.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

function fail(failure: DatabaseFailure): never {
  throw new DatabaseError(failure, "As the test wants it");
}

Deno.test("an outage of the database costs the oldest points, and no memory", strict, async () => {
  await using scene = await laneScene();
  const { room, owner, scene: { chat } } = scene;
  const devices = [await scene.device(), await scene.device()];
  let dropped = 0;
  const lane = scene.lane({
    bounds: { metrics: 100, buckets: 40 },
    meter: { stored: () => {}, dropped: (count) => dropped += count },
  });
  const long = new Date(Date.now() - 7_000_000).toISOString();
  const first = { readings: [{ metric: "t", value: -1, at: long }] };
  for (const device of devices) await lane.say(device, first);
  await until("they are stored", async () => (await scene.known(devices[1]!)).metrics.length === 1);
  let tries = 0;
  lane.faults.before = () => {
    tries++;
    fail("unavailable");
  };
  const now = Date.now();
  for (let i = 0; i < 300; i++) {
    const at = new Date(now - (300 - i) * 10_000).toISOString();
    for (const device of devices) {
      await lane.say(device, { readings: [{ metric: "t", value: i, at }] });
    }
    const { metrics, buckets } = lane.telemetry.waiting;
    // What is on its way to the database, and what has come since
    assert(metrics <= 4 && buckets <= 2 * 40, `${metrics} metrics and ${buckets} buckets`);
    if (i % 100 === 0) await until("it is tried again", () => tries > i / 50);
  }
  assert(dropped >= 600 - 80, `${dropped} were dropped`);
  delete lane.faults.before;
  await until("everything is stored", () => lane.telemetry.waiting.metrics === 0);
  let kept = 0;
  for (const device of devices) {
    const known = await scene.known(device);
    kept -= known.dropped;
    assertEquals(known.metrics.map(({ value, count }) => [value, count]), [[299, 301]]);
    const wish = { from: now - 7_200_000, to: now + 60_000, points: 500 };
    const { points } = await telemetrySeries(chat, owner, room, device.id, "t", wish);
    kept += known.dropped + points.reduce((sum, { count }) => sum + count, 0);
    assertEquals([points[0]!.last, points.at(-1)!.last], [-1, 299]);
  }
  assertEquals(kept + dropped, 602);
});

Deno.test("a batch whose answer was lost counts once", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  const lane = scene.lane();
  let lost = 0;
  lane.faults.after = (text) => {
    if (/store_telemetry/.test(text) && lost < 3) {
      lost++;
      fail("unknown");
    }
  };
  for (let i = 1; i <= 50; i++) await lane.say(device, { t: i });
  await until("it is stored", () => lost === 3 && lane.telemetry.waiting.metrics === 0);
  const [metric] = (await scene.known(device)).metrics;
  assertEquals([metric!.value, metric!.count], [50, 50]);
});

Deno.test(
  "a batch that the database refuses is halved until one device is left out",
  strict,
  async () => {
    await using scene = await laneScene();
    const devices = await Promise.all(Array.from({ length: 7 }, () => scene.device()));
    const refused: [number, string][] = [];
    const lane = scene.lane({
      meter: { stored: () => {}, dropped: (count, why) => refused.push([count, why]) },
    });
    const bad = devices[4]!;
    lane.faults.before = (text, values) => {
      if (/store_telemetry/.test(text) && JSON.stringify(values).includes(bad.id)) fail("rejected");
    };
    await Promise.all(devices.map((device) => lane.say(device, { t: 1, u: 2 })));
    await until(
      "the others are stored",
      async () =>
        (await Promise.all(devices.map((device) => scene.known(device))))
          .filter(({ metrics }) => metrics.length === 2).length === 6,
    );
    await until("one is left out", () => refused.length > 0);
    assertEquals(refused, [[2, "refused"]]);
    assertEquals((await scene.known(bad)).metrics, []);
  },
);

Deno.test("without the database, a new device waits and a known one is taken", strict, async () => {
  await using scene = await laneScene();
  const [known, fresh] = [await scene.device(), await scene.device()];
  const lane = scene.lane();
  await lane.say(known, { t: 1 });
  lane.faults.before = () => fail("unavailable");
  await lane.say(known, { t: 2 });
  const error = await assertRejects(() => lane.say(fresh, { t: 1 }), ConfabError);
  assertEquals(error.code, "unavailable");
});

Deno.test("a device asks about as many rooms as it may send readings", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  const lane = scene.lane({ rate: { perSecond: 0.001, burst: 10 }, everyMs: 60_000 });
  let asked = 0;
  lane.faults.before = (text) => {
    if (/array\(\s*select t.metric/.test(text)) asked++;
  };
  const codes: string[] = [];
  for (let i = 0; i < 50; i++) {
    await lane.say(device, { t: 1 }, newId()).catch(({ code }) => codes.push(code));
  }
  assert(asked > 0 && asked <= 10, `${asked} questions`);
  assertEquals([...new Set(codes)], ["not_found", "rate_limited"]);
  assertEquals(codes.filter((code) => code === "rate_limited").length, 1);
});

Deno.test(
  "what a bridge has taken is stored when it stops, and shown once a round",
  strict,
  async () => {
    await using scene = await laneScene();
    const device = await scene.device();
    const lane = scene.lane({ everyMs: 60_000 });
    const signals: Signal[] = [];
    const stop = await scene.scene.chat.bus.serve(scene.room, {
      entries: () => {},
      head: () => {},
      signal: (signal) => signals.push(signal),
    });
    for (let i = 0; i < 100; i++) await lane.say(device, { t: i, u: i });
    await lane.stop();
    stop();
    assertEquals((await scene.known(device)).metrics.map(({ value, count }) => [value, count]), [
      [99, 100],
      [99, 100],
    ]);
    assertEquals(
      signals.map((signal) =>
        signal.type === "telemetry" && signal.readings.map((one) => one.value)
      ),
      [[99, 99]],
    );
  },
);

Deno.test("nothing of a removed device is shown", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  const lane = scene.lane({ everyMs: 60_000 });
  const signals: Signal[] = [];
  const stop = await scene.scene.chat.bus.serve(scene.room, {
    entries: () => {},
    head: () => {},
    signal: (signal) => signals.push(signal),
  });
  await lane.say(device, { t: 1 });
  await removeMember(scene.scene.chat, scene.owner, scene.room, device.id);
  await lane.stop();
  stop();
  assertEquals(signals, []);
});

const hot: TelemetryRule = { id: "hot", metric: "t", kind: "above", threshold: 30, hysteresis: 2 };

const SAVES = /update telemetry_rules t set version/;
const LOOKS = /from telemetry_rules t\s+cross join lateral/;
const SETTLES = /update telemetry_rules t set pending = null/;

/** Where a bridge dies while it makes a message of a reading, by the statement it waits for. */
const DEATHS: [string, "before" | "after", RegExp][] = [
  ["before the state is stored", "before", SAVES],
  ["after the state is stored", "after", SAVES],
  ["before the message is sent", "after", LOOKS],
  ["before the rule is settled", "before", SETTLES],
  ["after the rule is settled", "after", SETTLES],
];

for (const [when, side, statement] of DEATHS) {
  Deno.test(`a takeover neither repeats nor forgets a message: death ${when}`, strict, async () => {
    await using scene = await laneScene();
    const device = await scene.device();
    await scene.rules(device, [hot]);
    const first = scene.lane();
    let died: Promise<void> | undefined;
    let saved = false;
    const dieAt = (now: "before" | "after") => (text: string) => {
      if (now === "after" && SAVES.test(text)) saved = true;
      if (now !== side || !statement.test(text) || (LOOKS.test(text) && !saved)) return;
      died ??= first.kill();
    };
    first.faults.before = dieAt("before");
    first.faults.after = dieAt("after");
    await first.say(device, { t: 20 });
    await until("it is stored", async () => (await scene.known(device)).metrics.length === 1);
    await first.say(device, { t: 31 });
    await until("it dies", () => died !== undefined);
    const second = scene.lane();
    // The readings go on: still too hot, then cold, then hot again
    await second.say(device, { t: 32 });
    assertEquals((await scene.heard(device, 1)).length, 1);
    const fired = async () => {
      const rows = await scene.scene.db.query<{ fired: boolean; pending: unknown }>(
        "select fired, pending from telemetry_rules",
      );
      return rows[0]!.pending === null ? rows[0]!.fired : undefined;
    };
    await until("its state is known", async () => await fired() === true);
    await until("it is armed again", async () => {
      await second.say(device, { t: 28 });
      return await fired() === false;
    });
    await second.say(device, { t: 40 });
    assertEquals((await scene.heard(device, 2))[1], "t is 40, above 30");
    await until("it has fired", async () => await fired() === true);
    await died;
    assertEquals((await scene.said(device)).length, 2);
  });
}

Deno.test("two bridges at once make one message", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  await scene.rules(device, [hot, { id: "any", metric: "t", kind: "change", threshold: 5 }]);
  const lanes = [scene.lane(), scene.lane(), scene.lane()];
  for (const value of [20, 31, 29, 31]) {
    await Promise.all(lanes.map((lane) => lane.say(device, { t: value })));
  }
  await scene.heard(device, 2);
  for (const lane of lanes) await lane.stop();
  assertEquals((await scene.said(device)).toSorted(), ["t changed to 31", "t is 31, above 30"]);
});

Deno.test("silence is told, once, and again after the device was heard", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  await scene.rules(device, [{ id: "gone", metric: "t", kind: "silence", seconds: 0.4 }]);
  const first = scene.lane();
  await first.say(device, { t: 1 });
  assertEquals(await scene.heard(device, 1), ["t: no reading for 0.4 s"]);
  await first.stop();
  const second = scene.lane(); // knows that it was told
  const looks = async () => {
    const rows = await scene.scene.db.query<{ version: number; fired: boolean }>(
      "select version, fired from telemetry_rules",
    );
    return rows[0]!;
  };
  const { version } = await looks();
  await until("it is looked at again", async () => (await looks()).version > version + 1);
  assertEquals((await scene.said(device)).length, 1);
  await until("it is armed again", async () => {
    await second.say(device, { t: 2 });
    return (await looks()).fired === false;
  });
  await scene.heard(device, 2);
});

Deno.test("digests together count every reading, over a takeover, too", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  await scene.rules(device, [
    { id: "d", metric: "t", kind: "digest", seconds: 0.3, unit: "°C" },
  ]);
  let counted = 0;
  for (let round = 0; round < 3; round++) {
    const lane = scene.lane();
    for (let i = 0; i < 20; i++) await lane.say(device, { t: 21.4 });
    counted += 20;
    const all = () => scene.said(device);
    await until(
      "all are told of",
      async () =>
        (await all()).reduce((sum, text) => sum + Number(/(\d+) reading/.exec(text)![1]), 0) ===
          counted,
    );
    await lane.kill();
    for (const text of await all()) assert(/^t: \d+ readings?, last 21\.4 °C$/.test(text), text);
  }
});

Deno.test("rules that stay as they are keep their state, others begin anew", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  await scene.rules(device, [hot]);
  const lane = scene.lane();
  await lane.say(device, { t: 31 });
  await scene.heard(device, 1);
  await scene.rules(device, [{ id: "cold", metric: "t", kind: "below", threshold: 0 }, hot]);
  await lane.stop();
  const second = scene.lane();
  await second.say(device, { t: 33 });
  await second.say(device, { t: -1 });
  assertEquals((await scene.heard(device, 2))[1], "t is -1, below 0");
  await second.stop();
  await scene.rules(device, [{ ...hot, hysteresis: 3 }]);
  const third = scene.lane();
  await third.say(device, { t: 34 });
  assertEquals((await scene.heard(device, 3))[2], "t is 34, above 30");
});
