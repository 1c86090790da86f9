import { assert, assertEquals } from "@std/assert";
import { Backoff } from "./backoff.ts";
import { ManualClock } from "./testing/manual_clock.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("Backoff spreads each wait over everything from zero to its ceiling", strict, () => {
  const clock = new ManualClock();
  const waits = (chance: number) => {
    clock.chance = chance;
    const backoff = new Backoff(clock);
    return Array.from({ length: 10 }, () => backoff.next());
  };
  assertEquals(waits(0), Array(10).fill(0));
  assertEquals(waits(0.5), [125, 250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
  assert(waits(0.999999).every((wait) => wait < 20_000));
});

Deno.test("Backoff never comes back before the time that the server asked for", strict, () => {
  const clock = new ManualClock();
  clock.chance = 0;
  const backoff = new Backoff(clock);
  assertEquals(backoff.next(3), 3000);
  clock.chance = 0.5;
  assertEquals(backoff.next(3), 3250);
  assertEquals(backoff.next(1e9) <= 5 * 60_000 + 1000, true);
});

Deno.test("Backoff starts from the shortest wait again after a reset", strict, () => {
  const backoff = new Backoff(new ManualClock());
  backoff.next();
  backoff.next();
  backoff.reset();
  assertEquals(backoff.next(), 125);
});
