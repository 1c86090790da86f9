import type { Log } from "../log.ts";
import type { Redis } from "../redis/mod.ts";
import { createMemoryLimits, LONGEST_WAIT } from "./memory.ts";
import type { Grant, Limits, Rate } from "./mod.ts";

/**
 * A token bucket in one hash: `t` tokens at `m` milliseconds of the server's clock, never a node's.
 * KEYS[1] the bucket; ARGV units per second, burst, cost, longest wait in milliseconds. Answers
 * `{1, 0}` or `{0, milliseconds to wait}`; a bucket that would be full again is forgotten.
 */
const TAKE = `
local rate, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local longest = tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local old = redis.call('HMGET', KEYS[1], 't', 'm')
local at = math.max(now, tonumber(old[2] or now))
local tokens = math.min(burst, tonumber(old[1] or burst) + (at - tonumber(old[2] or now)) * rate / 1000)
local granted, wait = 0, 0
if cost <= tokens then
  granted, tokens = 1, tokens - cost
elseif cost > burst or rate <= 0 then
  wait = longest
else
  wait = math.min(longest, math.ceil((cost - tokens) * 1000 / rate))
end
local ttl = longest
if rate > 0 then ttl = math.min(longest, math.ceil((burst - tokens) * 1000 / rate) + 1000) end
redis.call('HSET', KEYS[1], 't', string.format('%.6f', tokens), 'm', string.format('%.0f', at))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl))
return {granted, wait}
`;

/**
 * Limits that all nodes share, at one command per request. While Redis is away each node counts
 * for itself. The caller bounds the length of keys; `redis` stays the caller's to close.
 */
export function createRedisLimits(
  redis: Redis,
  { prefix, log }: {
    /** Begins the name of every key. */
    prefix: string;
    log: Log;
  },
): Limits {
  const fallback = createMemoryLimits();
  let away = false;

  async function shared(key: string, { perSecond, burst }: Rate, cost: number): Promise<Grant> {
    const args = [perSecond, burst, cost, LONGEST_WAIT * 1000];
    const answer = await redis.command(["EVAL", TAKE, 1, `${prefix}limit:${key}`, ...args]);
    if (!Array.isArray(answer) || answer.length !== 2) throw new Error("The answer is not a grant");
    return { granted: Number(answer[0]) === 1, retryAfter: Number(answer[1]) / 1000 };
  }

  return {
    async take(key, rate, cost = 1) {
      try {
        const grant = await shared(key, rate, cost);
        if (away) log.info("Limits are shared again");
        away = false;
        return grant;
      } catch (error) {
        if (!away) log.warn("Limits are counted by this node alone", { error });
        away = true;
        return await fallback.take(key, rate, cost);
      }
    },
    [Symbol.asyncDispose]: () => fallback[Symbol.asyncDispose](),
  };
}
