import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { TelemetryRule } from "../lib/protocol.ts";
import { judge, judgeTime, readingMessage, type RuleState } from "./reading_rules.ts";
import type { DueRule } from "./telemetry_ports.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** The values that a rule tells of. */
function told(rule: TelemetryRule, values: number[]): number[] {
  let state: RuleState = { fired: false, value: null };
  return values.flatMap((value) => {
    const verdict = judge(rule, state, value);
    if (verdict === undefined) return [];
    state = verdict;
    return verdict.tell ? [value] : [];
  });
}

const above: TelemetryRule = {
  id: "hot",
  metric: "t",
  kind: "above",
  threshold: 30,
  hysteresis: 2,
};

Deno.test("a threshold is told once, and again after the value was back", strict, () => {
  assertEquals(told(above, [29, 30, 31, 35, 30, 29, 31, 28, 30, 30.5, 40]), [31, 30.5]);
  const below: TelemetryRule = { ...above, kind: "below" };
  assertEquals(told(below, [31, 30, 29, 25, 31.9, 29, 32, 29]), [29, 29]);
  const without: TelemetryRule = { id: "a", metric: "t", kind: "above", threshold: 0 };
  assertEquals(told(without, [1, 0, 1, -1, 2]), [1, 1, 2]);
});

Deno.test(
  "between two messages of a threshold the value was back by the hysteresis",
  strict,
  () => {
    const values = fc.array(fc.integer({ min: -20, max: 20 }), { maxLength: 100 });
    const kind = fc.constantFrom("above" as const, "below" as const);
    fc.assert(fc.property(values, kind, fc.nat(10), (values, kind, hysteresis) => {
      const rule: TelemetryRule = { id: "x", metric: "m", kind, threshold: 0, hysteresis };
      const sign = kind === "above" ? 1 : -1;
      // A model that looks at the whole past each time
      const expected = values.filter((value, i) => {
        if (value * sign <= 0) return false;
        const before = values.slice(0, i).map((one) => one * sign);
        const lastBeyond = before.findLastIndex((one) => one > 0);
        if (lastBeyond === -1) return true;
        const fires = before.findLastIndex((one) => one <= -hysteresis);
        const firedSince = before.slice(fires + 1).some((one) => one > 0);
        return !firedSince;
      });
      assertEquals(told(rule, values), expected);
    }));
  },
);

Deno.test("a change is told when the value is far enough from the one told last", strict, () => {
  const rule: TelemetryRule = { id: "c", metric: "t", kind: "change", threshold: 2 };
  assertEquals(told(rule, [20, 21, 22, 21, 20.5, 20, 19, 24]), [22, 20, 24]);
  const values = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 60 });
  fc.assert(fc.property(values, fc.integer({ min: 1, max: 20 }), (values, threshold) => {
    const all = [values[0]!, ...told({ ...rule, threshold }, values)];
    for (let i = 1; i < all.length; i++) assert(Math.abs(all[i]! - all[i - 1]!) >= threshold);
    const last = all.at(-1)!;
    const end = values.lastIndexOf(last);
    for (const value of values.slice(end)) assert(Math.abs(value - last) < threshold);
  }));
});

Deno.test("messages say what was read", strict, () => {
  const at = Date.parse("2026-03-01T12:00:00Z");
  assertEquals(readingMessage({ ...above, unit: "°C" }, 31.25000001, at), {
    text: "t is 31.25 °C, above 30 °C",
    data: { rule: "hot", metric: "t", value: 31.25000001, at: "2026-03-01T12:00:00.000Z" },
  });
  const door: TelemetryRule = { id: "d", metric: "door", kind: "change", threshold: 1 };
  assertEquals(readingMessage(door, true, at).text, "door changed to true");
});

function due(rule: Partial<TelemetryRule>, changes: Partial<DueRule> = {}): DueRule {
  return {
    room: "r",
    device: "d",
    rule: { id: "x", metric: "t", kind: "silence", seconds: 300, ...rule },
    uid: "u",
    version: 3,
    fired: false,
    value: null,
    seen: 0,
    pending: null,
    joinedSeq: 1,
    due: true,
    latest: { value: 21.4, at: new Date(1000), count: 12 },
    quiet: 0,
    nextIn: 40,
    ...changes,
  };
}

Deno.test("silence is told once, and not of a time in which nobody listened", strict, () => {
  assertEquals(judgeTime(due({}, { quiet: 100 }), 1000), {
    fired: false,
    seen: 0,
    dueIn: 200,
    message: null,
  });
  const fired = judgeTime(due({}, { quiet: 300 }), 1000);
  assertEquals([fired.fired, fired.dueIn, fired.message?.text], [
    true,
    300,
    "t: no reading for 5 min",
  ]);
  assertEquals(judgeTime(due({}, { quiet: 600, fired: true }), 1000).message, null);
  assertEquals(judgeTime(due({}, { quiet: 10, fired: true }), 1000).fired, false);
  // A bridge that has just taken over has heard nothing yet
  const inherited = judgeTime(due({}, { quiet: 600, fired: true }), 1);
  assertEquals([inherited.fired, inherited.message], [true, null]);
  assertEquals(judgeTime(due({}, { quiet: 5000 }), 20).dueIn, 280);
  const never = judgeTime(due({ seconds: 7 }, { quiet: null, latest: null }), 1000);
  assertEquals(never.message, {
    text: "t: no reading for 7 s",
    data: { rule: "x", metric: "t", value: null, at: null },
  });
});

Deno.test("digests count every reading once", strict, () => {
  const digest = { kind: "digest", seconds: 60, unit: "°C" } as const;
  const first = judgeTime(due(digest), 0);
  assertEquals([first.message?.text, first.seen, first.dueIn], [
    "t: 12 readings, last 21.4 °C",
    12,
    40,
  ]);
  assertEquals(judgeTime(due(digest, { seen: 12 }), 0).message, null);
  assertEquals(judgeTime(due(digest, { seen: 11 }), 0).message?.text, "t: 1 reading, last 21.4 °C");
  // The metric was forgotten meanwhile
  const forgotten = judgeTime(due(digest, { seen: 12, latest: null }), 0);
  assertEquals([forgotten.message, forgotten.seen], [null, 0]);
});
