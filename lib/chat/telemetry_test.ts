import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { TELEMETRY } from "../telemetry.ts";
import { seriesRange } from "./telemetry.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const NOW = Date.parse("2026-03-01T12:34:56.789Z");
const HOUR = 3600;

function ago(seconds: number): number {
  return NOW - seconds * 1000;
}

Deno.test("seriesRange() never asks for more points than wished, nor misses a part", strict, () => {
  const wish = fc.record({
    age: fc.integer({ min: 1, max: TELEMETRY.kept[3600] }),
    part: fc.double({ min: 0.001, max: 1, noNaN: true }),
    points: fc.integer({ min: 2, max: TELEMETRY.points }),
  });
  fc.assert(fc.property(wish, ({ age, part, points }) => {
    const [from, to] = [ago(age), ago(age - Math.ceil(age * part))];
    const range = seriesRange({ from, to, points }, NOW);
    const steps = (range.to.getTime() - range.from.getTime()) / (range.step * 1000);
    assert(Number.isInteger(steps) && steps <= points, `${steps} of ${points}`);
    assert(range.from.getTime() <= from && range.to.getTime() >= to);
    assertEquals(range.from.getTime() % (range.step * 1000), 0);
    assertEquals(range.step % range.seconds, 0);
    assert(NOW - from <= TELEMETRY.kept[range.seconds] * 1000 + 30_000, "it is kept");
  }));
});

Deno.test("seriesRange() chooses the longest buckets that show as much as wished", strict, () => {
  const chosen = (age: number, points: number, until = 0) => {
    const { seconds, step } = seriesRange({ from: ago(age), to: ago(until), points }, NOW);
    return [seconds, step];
  };
  assertEquals(chosen(HOUR, 500), [10, 10]);
  assertEquals(chosen(HOUR, 361), [10, 10]);
  assertEquals(chosen(HOUR, 181), [10, 20]);
  assertEquals(chosen(HOUR, 61), [60, 60]);
  assertEquals(chosen(24 * HOUR, 500), [60, 180]);
  assertEquals(chosen(24 * HOUR, 25), [3600, 3600]);
  assertEquals(chosen(30 * 24 * HOUR, 500), [3600, 2 * 3600]);
  assertEquals(chosen(3 * HOUR, 500, 2.9 * HOUR), [60, 60], "ten seconds are not kept so long");
  assertEquals(chosen(48 * HOUR, 500, 47 * HOUR), [3600, 3600]);
});
