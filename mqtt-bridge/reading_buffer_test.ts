import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ReadingBuffer } from "./reading_buffer.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const stay = { room: "r", device: "d", joinedSeq: 1 };

const reading = fc.record({
  device: fc.constantFrom("a", "b", "c"),
  metric: fc.constantFrom("m", "n"),
  value: fc.oneof(fc.integer({ min: -1000, max: 1000 }), fc.boolean(), fc.constant("open")),
  at: fc.integer({ min: 0, max: 100_000 }),
});

Deno.test("ReadingBuffer: the buckets hold the sum of the readings", strict, () => {
  fc.assert(fc.property(fc.array(reading, { maxLength: 200 }), (readings) => {
    const buffer = new ReadingBuffer();
    for (const { device, ...one } of readings) {
      assertEquals(buffer.add({ room: "r", device, joinedSeq: 1 }, one), 0);
    }
    const sources = buffer.take();
    assertEquals(buffer.take(), [], "it begins anew");
    for (const { device, dropped, metrics } of sources) {
      assertEquals(dropped, 0);
      for (const { metric, value, at, count, buckets } of metrics) {
        const own = readings.filter((one) => one.device === device && one.metric === metric);
        assertEquals(count, own.length);
        const newest = Math.max(...own.map(({ at }) => at));
        assertEquals([at, value], [newest, own.findLast(({ at }) => at === newest)!.value]);
        for (const bucket of buckets) {
          assertEquals(bucket.at % 10_000, 0);
          const values = own.flatMap(({ value, at }) =>
            typeof value === "number" && at >= bucket.at && at < bucket.at + 10_000 ? [value] : []
          );
          assertEquals(bucket.count, values.length);
          assertEquals(bucket.sum, values.reduce((sum, value) => sum + value, 0));
          assertEquals([bucket.min, bucket.max], [Math.min(...values), Math.max(...values)]);
        }
        const numbers = own.filter(({ value }) => typeof value === "number").length;
        assertEquals(buckets.reduce((sum, { count }) => sum + count, 0), numbers);
      }
    }
    assertEquals(
      sources.flatMap(({ metrics }) => metrics).reduce((sum, { count }) => sum + count, 0),
      readings.length,
    );
  }));
});

Deno.test(
  "ReadingBuffer drops the oldest points, counts them, and keeps the latest",
  strict,
  () => {
    const buffer = new ReadingBuffer({ metrics: 10, buckets: 3 });
    let dropped = 0;
    for (let i = 0; i < 20; i++) {
      dropped += buffer.add(stay, { metric: "m", value: i, at: i * 10_000 });
      assert(buffer.size.buckets <= 3);
    }
    const [source] = buffer.take();
    assertEquals([source!.dropped, dropped], [17, 17]);
    const [metric] = source!.metrics;
    assertEquals([metric!.value, metric!.count], [19, 20]);
    assertEquals(metric!.buckets.map(({ last }) => last), [17, 18, 19]);
  },
);

Deno.test("ReadingBuffer takes a bounded number of metrics and devices", strict, () => {
  const buffer = new ReadingBuffer({ metrics: 3, buckets: 100 });
  const dropped = Array.from(
    { length: 6 },
    (_, i) =>
      buffer.add({ ...stay, device: i < 5 ? "d" : "e" }, { metric: `m${i}`, value: 1, at: 0 }),
  );
  assertEquals(dropped, [0, 0, 0, 1, 1, 1]);
  assertEquals(buffer.add(stay, { metric: "m0", value: 2, at: 1 }), 0, "a known one is taken");
  for (let i = 0; i < 100; i++) buffer.drop({ ...stay, device: `device ${i}` }, 1);
  assertEquals(buffer.size, { sources: 3, metrics: 3, buckets: 3 });
  assertEquals(buffer.take().map(({ device, dropped }) => [device, dropped]), [
    ["d", 2],
    ["e", 1],
    ["device 0", 1],
  ]);
});
