import { assertEquals } from "@std/assert";
import { Series } from "./series.ts";
import { outline } from "./sparkline.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("Series keeps the readings of its window in order, each moment once", strict, () => {
  const series = new Series(1000);
  series.add([{ at: 3000, value: 3 }, { at: 2500, value: 2 }]);
  series.add([{ at: 2900, value: 9 }, { at: 2500, value: 4 }, { at: 1000, value: 1 }]);
  assertEquals(series.points, [
    { at: 2500, value: 4 },
    { at: 2900, value: 9 },
    { at: 3000, value: 3 },
  ]);
});

Deno.test("Series stays bounded, and drops what is no number", strict, () => {
  const series = new Series(1e9, 3);
  series.add(Array.from({ length: 10 }, (_, at) => ({ at, value: at })));
  series.add([{ at: 11, value: NaN }]);
  assertEquals(series.points.map(({ at }) => at), [7, 8, 9]);
});

Deno.test("outline() fits the points into its box, times and values to scale", strict, () => {
  const points = [{ at: 0, value: 10 }, { at: 5, value: 20 }, { at: 20, value: 10 }];
  assertEquals(outline(points, { width: 100, height: 10 }), "M0 9L25 1L100 9");
});

Deno.test("outline() draws what does not change as a line in the middle", strict, () => {
  const points = [{ at: 0, value: 7 }, { at: 10, value: 7 }];
  assertEquals(outline(points, { width: 100, height: 10 }), "M0 5L100 5");
});

Deno.test("outline() draws nothing from less than two points", strict, () => {
  assertEquals(outline([], { width: 100, height: 10 }), "");
  assertEquals(outline([{ at: 1, value: 1 }], { width: 100, height: 10 }), "");
});
