import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Random } from "./random.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("a seed repeats its numbers and another one does not", strict, () => {
  const draw = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 20 }, () => random.next());
  };
  assertEquals(draw(7), draw(7));
  assertNotEquals(draw(7), draw(8));
});

Deno.test("numbers stay within their bounds and reach both ends", strict, () => {
  const random = new Random(1);
  const drawn = new Set(Array.from({ length: 500 }, () => random.between(3, 6)));
  assertEquals([...drawn].sort(), [3, 4, 5, 6]);
});

Deno.test("shuffle() keeps every item and changes the order", strict, () => {
  const items = Array.from({ length: 50 }, (_, i) => i);
  const shuffled = new Random(5).shuffle(items);
  assertNotEquals(shuffled, items);
  assertEquals(shuffled.toSorted((a, b) => a - b), items);
});

Deno.test("fork() draws numbers of its own", strict, () => {
  const random = new Random(9);
  const fork = random.fork();
  assert(fork.next() !== random.next());
});
