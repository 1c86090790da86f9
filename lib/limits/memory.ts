import type { Grant, Limits, Rate } from "./mod.ts";

const GRANTED: Grant = Object.freeze({ granted: true, retryAfter: 0 });
/** The longest wait that is ever told, in seconds: also the answer when waiting never helps. */
export const LONGEST_WAIT = 3600;

/**
 * One token bucket: `rate.burst` units at once, refilled with `rate.perSecond`. Made for hot paths
 * (a socket's frames): no timer, and nothing is allocated when the request is granted.
 */
export class TokenBucket {
  #rate: Rate;
  #tokens: number;
  #at: number;

  /** `now` is in milliseconds of any clock that never runs backwards. */
  constructor(rate: Rate, now: number = performance.now()) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#at = now;
  }

  /**
   * Takes `cost` units, or none when there are too few. A cost above the burst is never granted.
   * `retryAfter` is in seconds, to the millisecond.
   */
  take(cost = 1, now: number = performance.now()): Grant {
    const { perSecond, burst } = this.#rate;
    const elapsedMs = Math.max(0, now - this.#at);
    this.#at = Math.max(this.#at, now);
    this.#tokens = Math.min(burst, this.#tokens + elapsedMs * perSecond / 1000);
    if (cost <= this.#tokens) {
      this.#tokens -= cost;
      return GRANTED;
    }
    return { granted: false, retryAfter: waitFor(cost, this.#tokens, this.#rate) };
  }

  /** Applies another rate from now on; what was used stays used. */
  setRate(rate: Rate): void {
    this.#tokens += rate.burst - this.#rate.burst;
    this.#rate = rate;
  }
}

function waitFor(cost: number, tokens: number, { perSecond, burst }: Rate): number {
  if (cost > burst || perSecond <= 0) return LONGEST_WAIT;
  return Math.min(LONGEST_WAIT, Math.ceil((cost - tokens) * 1000 / perSecond) / 1000);
}

/**
 * Limits that count in this process. At most `maxKeys` keys are remembered; beyond that the key
 * that was not asked for longest is forgotten, and starts with a full bucket when it comes back.
 */
export function createMemoryLimits(
  { maxKeys = 10_000, now = () => performance.now() }: {
    maxKeys?: number;
    /** Milliseconds. */
    now?: () => number;
  } = {},
): Limits {
  const buckets = new Map<string, { bucket: TokenBucket; rate: Rate }>();
  return {
    take(key, rate, cost = 1) {
      const at = now();
      const known = buckets.get(key);
      const entry = known ?? { bucket: new TokenBucket(rate, at), rate };
      if (entry.rate.perSecond !== rate.perSecond || entry.rate.burst !== rate.burst) {
        entry.bucket.setRate(rate);
        entry.rate = rate;
      }
      buckets.delete(key); // a Map iterates in order of insertion, so this makes it the newest
      buckets.set(key, entry);
      if (buckets.size > maxKeys) buckets.delete(buckets.keys().next().value!);
      return Promise.resolve(entry.bucket.take(cost, at));
    },
    [Symbol.asyncDispose]() {
      buckets.clear();
      return Promise.resolve();
    },
  };
}
