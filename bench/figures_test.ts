import { assertEquals } from "@std/assert";
import { figure, percentile, reached } from "./figures.ts";
import { Latencies } from "./latencies.ts";
import { tableOf } from "./table.ts";

Deno.test("figure() takes the median and the extremes of all runs", () => {
  const { median, low, high, runs } = figure("it", "ms", [5, 1, 9, 3], { atMost: 4 });
  assertEquals({ median, low, high, runs }, { median: 4, low: 1, high: 9, runs: 4 });
});

Deno.test("reached() holds the median against the goal", () => {
  assertEquals(reached(figure("it", "ms", [4], { atMost: 4 })), true);
  assertEquals(reached(figure("it", "ms", [4.1], { atMost: 4 })), false);
  assertEquals(reached(figure("it", "/s", [4], { atLeast: 5 })), false);
  assertEquals(reached(figure("it", "/s", [4])), undefined);
});

Deno.test("percentiles are the nearest rank", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
  assertEquals(percentile(hundred, 99), 99);
  assertEquals(percentile(hundred, 50), 50.5);
  const latencies = new Latencies();
  for (const ms of hundred) latencies.add(ms);
  assertEquals([50, 99, 100].map((p) => latencies.percentile(p)), [50, 99, 100]);
});

Deno.test("tableOf() shows what was missed", () => {
  const table = tableOf([figure("it", "ms", [1234.5], { atMost: 50 })]);
  assertEquals(
    table.split("\n")[2],
    "| it     | 1,235 ms | 1,235 – 1,235 | 1    | ≤ 50 | missed |",
  );
});
