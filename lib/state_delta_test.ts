import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { mergePatch } from "./merge_patch.ts";
import type { Metadata } from "./protocol.ts";
import { stateDelta } from "./state_delta.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** Few names and values, so that two states have much in common. */
const name = fc.constantFrom("a", "b", "c", "__proto__", "constructor");
const state: fc.Arbitrary<Metadata> = fc.letrec((tie) => ({
  object: fc.dictionary(name, tie("value"), { maxKeys: 4 }),
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, 0, -0, 1, 1.5, "", "x"),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("object"),
  ),
})).object.map((value) => JSON.parse(JSON.stringify(value)));

Deno.test("stateDelta() goes into objects, and takes lists as values", strict, () => {
  const desired = { speed: 3, limits: { low: 1, high: 9 }, days: [1, 2], on: true };
  const reported = { speed: 2, limits: { low: 1, high: 8, hard: 10 }, days: [1], on: true, t: 21 };
  assertEquals(stateDelta(desired, reported), { speed: 3, limits: { high: 9 }, days: [1, 2] });
  assertEquals(stateDelta(desired), desired);
  assertEquals(stateDelta({ a: [{ x: 1, y: 2 }] }, { a: [{ y: 2, x: 1 }] }), {});
  assertEquals(stateDelta({ a: {} }, { a: 1 }), { a: {} });
  assertEquals(stateDelta({ gone: null, there: null }, { there: 1 }), { there: null });
});

Deno.test("stateDelta(), applied to what is reported, leaves nothing to do", strict, () => {
  fc.assert(fc.property(state, state, (desired, reported) => {
    assertEquals(stateDelta(desired, mergePatch(reported, stateDelta(desired, reported))), {});
  }));
});

Deno.test("stateDelta() has nothing but what is desired", strict, () => {
  fc.assert(fc.property(state, state, (desired, reported) => {
    const wished = mergePatch({}, desired);
    assertEquals(mergePatch(wished, stateDelta(wished, reported)), wished);
  }));
});

Deno.test(
  "stateDelta() is empty when everything is as desired, whatever else there is",
  strict,
  () => {
    fc.assert(fc.property(state, state, (desired, reported) => {
      assertEquals(stateDelta(desired, desired), {});
      assertEquals(stateDelta(desired, mergePatch(reported, desired)), {});
    }));
  },
);
