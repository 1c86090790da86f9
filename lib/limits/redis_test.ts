import { assertEquals } from "@std/assert";
import { startUpstashGateway } from "../../testing/gateways/upstash.ts";
import { startProxy } from "../../testing/proxy.ts";
import { findRedis, TEST_REDIS_URL, testWith } from "../../testing/services.ts";
import { newId } from "../ids.ts";
import { createLog } from "../log.ts";
import type { Redis } from "../redis/mod.ts";
import { openRedis } from "../redis/tcp.ts";
import { openUpstash } from "../redis/upstash.ts";
import { limitsContract } from "./contract.ts";
import { createRedisLimits } from "./redis.ts";
import type { Limits } from "./mod.ts";

const service = await findRedis();
const log = createLog("silent");

/** Limits that close their driver, and what `end` closes, with themselves. */
function owning(redis: Redis, end: () => Promise<void> = () => Promise.resolve()): Limits {
  const limits = createRedisLimits(redis, { prefix: `test:${newId()}:`, log });
  return {
    take: (key, rate, cost) => limits.take(key, rate, cost),
    async [Symbol.asyncDispose]() {
      await limits[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
      await end();
    },
  };
}

limitsContract(
  "Redis",
  async () => owning(await openRedis(TEST_REDIS_URL, { log })),
  (name, test) => testWith(service, name, test),
);

limitsContract("Upstash", async () => {
  const gateway = await startUpstashGateway(TEST_REDIS_URL);
  return owning(openUpstash(gateway.url, gateway.token, { log }), gateway.close);
}, (name, test) => testWith(service, name, test));

testWith(service, "Redis limits: two nodes share a quota, and the key expires", async () => {
  await using redis = await openRedis(TEST_REDIS_URL, { log });
  await using other = await openRedis(TEST_REDIS_URL, { log });
  const prefix = `test:${newId()}:`;
  await using a = createRedisLimits(redis, { prefix, log });
  await using b = createRedisLimits(other, { prefix, log });
  const rate = { perSecond: 0.5, burst: 3 };
  const grants = [];
  for (const limits of [a, b, a, b, a]) grants.push((await limits.take("key", rate)).granted);
  assertEquals(grants, [true, true, true, false, false]);
  const ttlMs = await redis.command<number>(["PTTL", `${prefix}limit:key`]);
  assertEquals(ttlMs > 5_000 && ttlMs <= 7_000, true, `${ttlMs} ms`);
});

testWith(service, "Redis limits: without Redis each node counts for itself", async () => {
  const target = new URL(TEST_REDIS_URL);
  const proxy = startProxy(Number(target.port || 6379));
  target.host = `127.0.0.1:${proxy.port}`;
  try {
    await using redis = await openRedis(target.href, { log, deadlineMs: 300 });
    const prefix = `test:${newId()}:`;
    await using limits = createRedisLimits(redis, { prefix, log });
    const rate = { perSecond: 0.001, burst: 2 };
    const take = async () => (await limits.take("key", rate)).granted;
    assertEquals(await take(), true);
    proxy.cut();
    assertEquals([await take(), await take(), await take()], [true, true, false]);
  } finally {
    await proxy.close();
  }
});

testWith(service, "Redis limits: a key of another type does not fail the caller", async () => {
  await using redis = await openRedis(TEST_REDIS_URL, { log });
  const prefix = `test:${newId()}:`;
  await redis.command(["SET", `${prefix}limit:key`, "text", "PX", 60_000]);
  await using limits = createRedisLimits(redis, { prefix, log });
  assertEquals((await limits.take("key", { perSecond: 1, burst: 1 })).granted, true);
  await redis.command(["DEL", `${prefix}limit:key`]);
});
