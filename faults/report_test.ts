import { assert, assertEquals, assertThrows } from "@std/assert";
import { merged, tableOf, withTable } from "./report.ts";
import { readOptions } from "./run_options.ts";
import type { RunSummary } from "./seed_run.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const machine = {
  ...{ cpu: "a processor", cores: 2, memoryGiB: 8, kernel: "linux", deno: "2.9.6" },
  ...{ date: "2026-01-01", load: 0 },
};

function run(seed: number, more: Partial<RunSummary> = {}): RunSummary {
  return {
    ...{ seed, seconds: 30, deliveries: 1000, convergeMs: seed * 100, violations: 0, ms: 40_000 },
    ...{ writes: { ws: 10, sse: 0, rest: 5, mqtt: 2 }, faults: { "web-kill": 2 } },
    ...more,
  };
}

Deno.test("a repeated run replaces its earlier self, others add up", strict, () => {
  const old = merged(undefined, "one", machine, [run(1, { violations: 3 }), run(2)]);
  const both = merged(old, "two", machine, [run(1), run(5)]);
  assertEquals(both.runs.map(({ seed, violations }) => [seed, violations]), [[1, 0], [2, 0], [
    5,
    0,
  ]]);
  assertEquals(both.commands, ["one", "two"]);
});

Deno.test("the table says what was done, by class, and which seeds failed", strict, () => {
  const runs = [run(1), run(2), run(3, { violations: 1, faults: { "redis-kill": 1 } }), run(7)];
  const table = tableOf(merged(undefined, "deno task faults", machine, runs));
  const has = (line: RegExp) => assert(line.test(table), `${line}\n${table}`);
  has(/runs +\| 4, of which 1 with violations/);
  has(/seeds +\| 1 to 3, 7/);
  has(/writes +\| 68 \(ws 40, rest 20, mqtt 8\)/);
  has(/healing +\| median 200 ms, p99 700 ms, most 700 ms/);
  has(/failed seeds +\| 3/);
  has(/`web-kill` +\| 6/);
  has(/`redis-kill` +\| 1/);
});

Deno.test("the table stands between its marks, and nowhere else", strict, () => {
  const begin = "<!-- results: begin, written by deno task faults --report -->";
  const text = `before\n${begin}\nold\n<!-- results: end -->\nafter\n`;
  const once = withTable(text, "new");
  assertEquals(once, `before\n${begin}\n\nnew\n\n<!-- results: end -->\nafter\n`);
  assertEquals(withTable(once, "new"), once);
  assertThrows(() => withTable("no marks", "new"));
});

Deno.test("the command understands its options and refuses others", strict, () => {
  const given = readOptions([
    "--seed",
    "7",
    "--seconds",
    "20",
    "--runs",
    "3",
    "--report",
    "a.json",
  ]);
  assertEquals([given.seed, given.seconds, given.runs, given.report], [7, 20, 3, "a.json"]);
  assertEquals(readOptions(["--plants"]).plants, "");
  assertEquals(readOptions(["--plants", "lease", "--jobs", "2"]).plants, "lease");
  assertEquals(readOptions([]).seconds, 30);
  assertThrows(() => readOptions(["--seed"]));
  assertThrows(() => readOptions(["--seed", "x"]));
  assertThrows(() => readOptions(["--what"]));
});
