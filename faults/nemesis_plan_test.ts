import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { DECK } from "./faults/deck.ts";
import { LANES } from "./faults/fault.ts";
import { describePlan, plan } from "./nemesis_plan.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const SEEDS = Array.from({ length: 300 }, (_, i) => i * 7919);

Deno.test("no two faults share a class, and every one says what shows it", strict, () => {
  assertEquals(new Set(DECK.map((fault) => fault.class)).size, DECK.length);
  for (const { class: name, evidence, ms } of DECK) {
    assert(/^[a-z]+(-[a-z]+)+$/.test(name), name);
    assert(evidence.length > 0 && ms[0] <= ms[1], name);
  }
});

Deno.test("plan() deals the same for the same seed, and something else for another", strict, () => {
  for (const seconds of [5, 30, 120]) {
    assertEquals(plan(42, seconds), plan(42, seconds));
    assertNotEquals(plan(42, seconds).faults, plan(43, seconds).faults);
  }
});

Deno.test("plan() deals every class in thirty seconds, whatever the seed", strict, () => {
  const all = DECK.map((fault) => fault.class).sort();
  for (const seed of SEEDS) {
    const { dealt, left } = plan(seed, 30);
    assertEquals([dealt, left], [all, []], `seed ${seed}`);
  }
});

Deno.test(
  "plan() deals a part in less time, says which, and leaves no class out for ever",
  strict,
  () => {
    const ever = new Set<string>();
    for (const seed of SEEDS) {
      const { dealt, left } = plan(seed, 8);
      assertEquals([...dealt, ...left].sort(), DECK.map((fault) => fault.class).sort());
      assert(dealt.length > 5 && left.length > 5);
      for (const name of dealt) ever.add(name);
    }
    assertEquals(ever.size, DECK.length);
  },
);

Deno.test("the faults of one lane do not overlap, and all end in time", strict, () => {
  for (const seed of SEEDS) {
    const { faults } = plan(seed, 45);
    for (const lane of LANES) {
      let freeAt = 0;
      for (const { class: name, atMs, forMs } of faults.filter((fault) => fault.lane === lane)) {
        assert(atMs >= Math.floor(freeAt), `seed ${seed}: ${name} begins before the last one ends`);
        freeAt = atMs + forMs + DECK.find((fault) => fault.class === name)!.mendMs;
      }
      assert(freeAt <= 45_000, `seed ${seed}: ${lane} ends at ${freeAt}`);
    }
  }
});

Deno.test("describePlan() names every fault and what was not dealt", strict, () => {
  const short = plan(3, 8);
  const text = describePlan(short);
  for (const { class: name } of short.faults) assertStringIncludes(text, name);
  assertStringIncludes(text, `Not dealt in this time: ${short.left.join(", ")}`);
});
