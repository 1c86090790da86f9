import { assertEquals } from "@std/assert";
import { durationWords, ruleWords } from "./rule_words.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("a rule is a sentence that says when it fires again", strict, () => {
  const metric = "temp";
  const words = [
    ruleWords({ id: "1", metric, kind: "above", threshold: 30, hysteresis: 2, unit: "°C" }),
    ruleWords({ id: "2", metric, kind: "below", threshold: -5, hysteresis: 0.5 }),
    ruleWords({ id: "3", metric, kind: "above", threshold: 0, hysteresis: 0 }),
    ruleWords({ id: "4", metric, kind: "change", threshold: 1.5, unit: "bar" }),
    ruleWords({ id: "5", metric, kind: "silence", seconds: 300 }),
    ruleWords({ id: "6", metric, kind: "digest", seconds: 3600 }),
  ];
  assertEquals(words, [
    "temp above 30 °C, again after 28 °C",
    "temp below -5, again after -4.5",
    "temp above 0",
    "temp changes by 1.5 bar",
    "temp silent for 5 min",
    "temp as a digest every 1 h",
  ]);
});

Deno.test("a duration is in the largest unit that needs no fraction", strict, () => {
  const durations = [0, 5, 90, 120, 5400, 7200, 86_400, 7 * 86_400].map(durationWords);
  assertEquals(durations, ["0 s", "5 s", "90 s", "2 min", "90 min", "2 h", "1 d", "7 d"]);
});
