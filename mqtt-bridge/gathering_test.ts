import { assert, assertEquals } from "@std/assert";
import { Gathering } from "./gathering.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("turn() lets the first go at once and all that follow together", strict, async () => {
  const gathering = new Gathering(20);
  const order: string[] = [];
  const go = (name: string) => gathering.turn().then(() => order.push(name));
  const [first, ...others] = ["first", "a", "b", "c"].map(go);
  await first;
  assertEquals(order, ["first"]);
  const startedAt = performance.now();
  await others[0];
  assertEquals(order, ["first", "a", "b", "c"]);
  assert(performance.now() > startedAt, "they waited");
  const last = go("last");
  assertEquals(order.length, 4);
  await last;
});
