import { assertEquals } from "@std/assert";
import { limitsContract } from "./contract.ts";
import { createMemoryLimits, TokenBucket } from "./memory.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

limitsContract(
  "memory",
  () => Promise.resolve(createMemoryLimits()),
  (name, fn) => Deno.test({ name, fn, ...strict }),
);

Deno.test("TokenBucket gives the burst at once and then the rate", strict, () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 2 }, 1_000);
  assertEquals(bucket.take(1, 1_000).granted, true);
  assertEquals(bucket.take(1, 1_000).granted, true);
  assertEquals(bucket.take(1, 1_000), { granted: false, retryAfter: 0.1 });
  assertEquals(bucket.take(1, 1_060), { granted: false, retryAfter: 0.04 });
  assertEquals(bucket.take(1, 1_100).granted, true);
  assertEquals(bucket.take(2, 60_000).granted, true);
  assertEquals(bucket.take(1, 60_000).granted, false);
});

Deno.test("TokenBucket ignores a clock that steps back", strict, () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 1 }, 1_000);
  assertEquals(bucket.take(1, 1_000).granted, true);
  assertEquals(bucket.take(1, 0).granted, false);
  assertEquals(bucket.take(1, 1_050).granted, false);
  assertEquals(bucket.take(1, 1_100).granted, true);
});

Deno.test("TokenBucket answers with the longest wait when the rate is zero", strict, () => {
  const bucket = new TokenBucket({ perSecond: 0, burst: 1 }, 0);
  assertEquals(bucket.take(1, 0).granted, true);
  assertEquals(bucket.take(1, 1e9), { granted: false, retryAfter: 3600 });
});

Deno.test(
  "createMemoryLimits() forgets the key that was not asked for longest",
  strict,
  async () => {
    await using limits = createMemoryLimits({ maxKeys: 2, now: () => 0 });
    const rate = { perSecond: 1, burst: 1 };
    const take = async (key: string) => (await limits.take(key, rate)).granted;
    assertEquals([await take("a"), await take("b"), await take("a")], [true, true, false]);
    assertEquals(await take("c"), true); // "b" is forgotten
    assertEquals([await take("a"), await take("b")], [false, true]);
  },
);

Deno.test("createMemoryLimits() keeps what was used when the rate changes", strict, async () => {
  await using limits = createMemoryLimits({ now: () => 0 });
  assertEquals((await limits.take("a", { perSecond: 1, burst: 2 }, 2)).granted, true);
  assertEquals((await limits.take("a", { perSecond: 1, burst: 5 }, 4)).granted, false);
  assertEquals((await limits.take("a", { perSecond: 1, burst: 5 }, 3)).granted, true);
});
