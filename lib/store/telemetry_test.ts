import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { chatScene, newDevice, newPrincipal } from "../../testing/chat.ts";
import { createRoom } from "../chat/rooms.ts";
import { setMember } from "../chat/members.ts";
import type { Principal } from "../auth/principal.ts";
import type { Database } from "../database/mod.ts";
import { newId } from "../ids.ts";
import { readDropped, readLatest, readPlaces, storeTelemetry } from "./telemetry.ts";
import type { MetricReadings, ReadingBucket, SourceReadings } from "./telemetry.ts";
import { deleteOldBuckets, readSeries, rollTelemetry } from "./telemetry_series.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const HOUR_MS = 3_600_000;

/** A room with a device in it, and one that is not. */
async function places() {
  const scene = await chatScene();
  const { chat, db } = scene;
  const owner = await newPrincipal(db);
  const { id: room } = await createRoom(chat, owner, { name: "R", visibility: "private" });
  const join = async (device: Principal) => {
    await setMember(chat, owner, room, device.id, "member");
    return device.id;
  };
  const stayOf = async (device: string) => (await readPlaces(db, [{ room, device }]))[0]!.joinedSeq;
  const device = await join(await newDevice(db, owner));
  const stranger = (await newDevice(db, owner)).id;
  return {
    db,
    room,
    device,
    stranger,
    joinedSeq: await stayOf(device),
    another: async () => {
      const device = await join(await newDevice(db, owner));
      return { device, joinedSeq: await stayOf(device) };
    },
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}

function bucketOf(at: number, values: number[]): ReadingBucket {
  return {
    at,
    count: values.length,
    min: Math.min(...values),
    max: Math.max(...values),
    sum: values.reduce((sum, value) => sum + value, 0),
    last: values.at(-1)!,
    lastAt: at + values.length,
  };
}

function metricOf(metric: string, at: number, values: number[]): MetricReadings {
  const start = Math.floor(at / 10_000) * 10_000;
  const last = values.at(-1)!;
  return { metric, value: last, at, count: values.length, buckets: [bucketOf(start, values)] };
}

/** All of a series in steps of `seconds`. */
async function seriesOf(
  db: Database,
  { room, device }: { room: string; device: string },
  metric: string,
  seconds: 10 | 60 | 3600,
) {
  const now = Date.now();
  const range = { from: new Date(now - 48 * HOUR_MS), to: new Date(now + HOUR_MS) };
  return await readSeries(db, room, device, metric, { ...range, seconds, step: seconds });
}

Deno.test(
  "storeTelemetry() keeps the newest value, and counts every batch once",
  strict,
  async () => {
    await using scene = await places();
    const { db, room, device, joinedSeq } = scene;
    const writer = newId();
    const at = Date.now() - 60_000;
    const source = (metrics: MetricReadings[], dropped = 0): SourceReadings[] => [
      { room, device, joinedSeq, dropped, metrics },
    ];
    const first = { writer, number: 1, sources: source([metricOf("temp", at, [20, 22])], 3) };
    assertEquals(await storeTelemetry(db, first), []);
    assertEquals(await storeTelemetry(db, first), []);
    const older = { writer, number: 2, sources: source([metricOf("temp", at - 5, [7])]) };
    await storeTelemetry(db, older);
    const texts: MetricReadings[] = [
      { metric: "door", value: "open", at, count: 2, buckets: [] },
      { metric: "on", value: true, at, count: 1, buckets: [] },
    ];
    await storeTelemetry(db, { writer: newId(), number: 1, sources: source(texts) });
    assertEquals(
      (await readLatest(db, room, device)).map(({ metric, value, at, count }) => [
        metric,
        value,
        at.getTime(),
        count,
      ]),
      [["door", "open", at, 2], ["on", true, at, 1], ["temp", 22, at, 3]],
    );
    assertEquals(await readDropped(db, room, device), 3);
    const [place] = await readPlaces(db, [{ room, device }, { room, device: scene.stranger }]);
    assertEquals(place!.metrics.toSorted(), ["door", "on", "temp"]);
  },
);

Deno.test(
  "storeTelemetry() stores nothing of a device that is not in the room",
  strict,
  async () => {
    await using scene = await places();
    const { db, room, device, joinedSeq, stranger } = scene;
    const metrics = [metricOf("temp", Date.now(), [1])];
    const gone = await storeTelemetry(db, {
      writer: newId(),
      number: 1,
      sources: [
        { room, device: stranger, joinedSeq: 1, dropped: 5, metrics },
        { room, device, joinedSeq, dropped: 0, metrics },
        { room: newId(), device, joinedSeq, dropped: 0, metrics },
      ],
    });
    assertEquals(gone.toSorted(), [0, 2]);
    assertEquals(await readLatest(db, room, stranger), []);
    assertEquals(await readDropped(db, room, stranger), 0);
    assertEquals((await readLatest(db, room, device)).length, 1);
  },
);

Deno.test(
  "the buckets of every length hold the sum of all readings, at any time",
  strict,
  async () => {
    await using scene = await places();
    const { db, room } = scene;
    const value = fc.oneof(
      fc.integer({ min: -1000, max: 1000 }),
      fc.double({ min: -1, max: 1, noNaN: true }),
    ).map((value) => value + 0); // no -0
    const batch = fc.record({
      // Up to two hours ago: what comes late is added to what was rolled up
      ageMs: fc.oneof(
        fc.constantFrom(0, 30_000, 90_000, HOUR_MS),
        fc.integer({ min: 0, max: 2 * HOUR_MS }),
      ),
      values: fc.array(value, { minLength: 1, maxLength: 5 }),
      roll: fc.boolean(),
      again: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 12 }), async (batches) => {
        const { device, joinedSeq } = await scene.another();
        const writer = newId();
        const all: number[] = [];
        for (const [i, { ageMs, values, roll, again }] of batches.entries()) {
          const metrics = [metricOf("m", Date.now() - ageMs, values)];
          const sources = [{ room, device, joinedSeq, dropped: 0, metrics }];
          await storeTelemetry(db, { writer, number: i + 1, sources });
          if (again) await storeTelemetry(db, { writer, number: i + 1, sources });
          all.push(...values);
          if (roll) await Promise.all([rollTelemetry(db, 3), rollTelemetry(db, 3)]);
          for (const seconds of [10, 60, 3600] as const) {
            const points = await seriesOf(db, { room, device }, "m", seconds);
            const total = (of: (point: typeof points[number]) => number) =>
              points.reduce((sum, point) => sum + of(point), 0);
            assertEquals(total(({ count }) => count), all.length, `count at ${seconds}`);
            const sum = all.reduce((sum, value) => sum + value, 0);
            assert(Math.abs(total((point) => point.sum) - sum) < 1e-6, `sum at ${seconds}`);
            assertEquals(Math.min(...points.map(({ min }) => min)), Math.min(...all));
            assertEquals(Math.max(...points.map(({ max }) => max)), Math.max(...all));
            for (const { at, min, max, last } of points) {
              assertEquals(at.getTime() % (seconds * 1000), 0);
              assert(min <= last && last <= max);
            }
          }
        }
      }),
      { numRuns: 15 },
    );
  },
);

Deno.test(
  "what is rolled up stays when its parts are deleted, and what is not, too",
  strict,
  async () => {
    await using scene = await places();
    const { db, room, device, joinedSeq } = scene;
    const writer = newId();
    const store = (number: number, ageMs: number, value: number) => {
      const metrics = [metricOf("m", Date.now() - ageMs, [value])];
      return storeTelemetry(db, {
        writer,
        number,
        sources: [{ room, device, joinedSeq, dropped: 0, metrics }],
      });
    };
    for (let i = 0; i < 30; i++) await store(i + 1, 2 * HOUR_MS + i * 10_000, i);
    const pick = async () => await deleteOldBuckets(db, 10, 3600, 1000);
    assertEquals(await pick(), 0, "not before it is rolled up");
    // Two workers side by side take each bucket once
    const rolled = await Promise.all([rollTelemetry(db, 20), rollTelemetry(db, 20)]);
    assertEquals(rolled.reduce((sum, one) => sum + one) + await rollTelemetry(db, 1000), 30);
    assertEquals(await pick(), 30);
    await store(31, 2 * HOUR_MS, 100); // comes late, after its neighbours have gone
    await store(32, 0, 50); // is not rolled up before its ten seconds are over
    assertEquals(await rollTelemetry(db, 1000), 1);
    assertEquals(await pick(), 1);
    const totals = async (seconds: 10 | 60 | 3600) => {
      const points = await seriesOf(db, { room, device }, "m", seconds);
      return [
        points.reduce((sum, { count }) => sum + count, 0),
        points.reduce((sum, one) => sum + one.sum, 0),
        Math.max(...points.map(({ max }) => max)),
      ];
    };
    assertEquals(await totals(10), [1, 50, 50]);
    assertEquals(await totals(60), [32, 435 + 150, 100]);
    assertEquals(await totals(3600), [32, 435 + 150, 100]);
    assertEquals(await deleteOldBuckets(db, 3600, 0, 1000) > 0, true);
  },
);
