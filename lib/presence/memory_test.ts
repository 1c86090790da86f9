import { assertEquals } from "@std/assert";
import { isOnline, newSession, presenceContract } from "./contract.ts";
import { createMemoryPresence } from "./memory.ts";
import { presenceTimes } from "./mod.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

presenceContract(
  "memory",
  (times) => Promise.resolve(createMemoryPresence(times)),
  (name, fn) => Deno.test({ name, fn, ...strict }),
);

Deno.test("createMemoryPresence() keeps leases and graces to the millisecond", strict, async () => {
  let now = 0;
  await using presence = createMemoryPresence(presenceTimes(30), () => now);
  const [kept, left] = [newSession(), newSession()];
  await presence.hold([kept, left]);
  now = 20_000;
  await presence.release([left]);
  now = 29_999;
  assertEquals([await isOnline(presence, kept), await isOnline(presence, left)], [true, true]);
  now = 30_000;
  assertEquals([await isOnline(presence, kept), await isOnline(presence, left)], [false, false]);
});

Deno.test("presenceTimes() of the default lease keep the promised bounds", strict, () => {
  const { leaseMs, graceMs, settleMs } = presenceTimes(30);
  assertEquals([leaseMs, graceMs], [30_000, 10_000]);
  // Nodes renew at a third of the lease, at most 20 % late.
  assertEquals(settleMs > leaseMs / 3 * 1.2, true);
});
