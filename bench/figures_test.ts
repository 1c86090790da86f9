import { assertEquals } from "@std/assert";
import { figure, missedBy, percentile, reached } from "./figures.ts";
import { Latencies } from "./latencies.ts";
import { sectionTable } from "./table.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("figure() takes the median and the extremes of all runs", strict, () => {
  const { median, low, high, runs } = figure("it", "ms", [5, 1, 9, 3]);
  assertEquals({ median, low, high, runs }, { median: 4, low: 1, high: 9, runs: 4 });
});

Deno.test("figure() without a value is null, which JSON can tell", strict, () => {
  const { median, low, high } = figure("it", "ms", [NaN]);
  assertEquals([median, low, high], [null, null, null]);
});

Deno.test("figure() is load-bound when the load generator's core was full", strict, () => {
  const used = (loadCoreBusy: number) => ({ ms: 1, serverMs: 1, loadBusy: 50, loadCoreBusy });
  const busy = (...cores: number[]) => figure("it", "ms", [1], { used: cores.map(used) });
  assertEquals(busy(95, 91, 20).loadBound, true);
  assertEquals(busy(95, 80, 20).loadBound, undefined);
  assertEquals(busy(95, 80, 20).loadBusy, 50);
});

Deno.test("reached() and missedBy() hold the median against the goal", strict, () => {
  const of = (median: number, goal: { atMost: number } | { atLeast: number }) => {
    const one = figure("it", "ms", [median], { goal });
    return [reached(one), Math.round(missedBy(one))];
  };
  assertEquals(of(4, { atMost: 4 }), [true, 0]);
  assertEquals(of(5, { atMost: 4 }), [false, 25]);
  assertEquals(of(4, { atLeast: 5 }), [false, 20]);
  assertEquals(reached(figure("it", "/s", [4])), undefined);
});

Deno.test("percentiles are the nearest rank", strict, () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
  assertEquals(percentile(hundred, 99), 99);
  assertEquals(percentile(hundred, 50), 50.5);
  const latencies = new Latencies();
  for (const ms of hundred) latencies.add(ms);
  assertEquals([50, 99, 100].map((p) => latencies.percentile(p)), [50, 99, 100]);
});

Deno.test("sectionTable() shows what was missed, and by how much", strict, () => {
  const figures = [figure("it", "ms", [62, 60, 70], { goal: { atMost: 50 } })];
  assertEquals(sectionTable({ name: "a", title: "A", figures }).split("\n").slice(2), [
    "| figure | Confab          | goal |                    |",
    "| ------ | --------------- | ---- | ------------------ |",
    "| it     | 62 ms (60 – 70) | ≤ 50 | **missed** by 24 % |",
  ]);
});

Deno.test(
  "sectionTable() puts peers beside Confab and says that they store nothing",
  strict,
  () => {
    const figures = [
      figure("it", "/s", [1234.5]),
      figure("it", "/s", [10], { who: "ws" }),
      figure("it", "/s", [], { who: "Mosquitto", note: "too much" }),
    ];
    assertEquals(sectionTable({ name: "a", title: "A", figures }).split("\n").slice(2), [
      "| figure | Confab (committed first) | ws (not durable) | Mosquitto (QoS 0, not durable) |",
      "| ------ | ------------------------ | ---------------- | ------------------------------ |",
      "| it     | 1,235 /s                 | 10 /s            | too much                       |",
    ]);
  },
);
