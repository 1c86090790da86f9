import { ConfabError } from "../errors.ts";
import { TokenBucket } from "./memory.ts";
import type { Rate } from "./mod.ts";

/**
 * The same rate for each of many keys, counted by this node alone and answered at once: what hot
 * paths use, where asking a shared counter per message would cost more than the message. Of more
 * than `maxKeys` keys, the one not asked for longest is forgotten.
 */
export class Quota {
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(private readonly rate: Rate, private readonly maxKeys = 50_000) {}

  /** Takes `cost` from the quota of `key`. Throws `rate_limited` with the seconds to wait. */
  take(key: string, cost = 1): void {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) bucket = new TokenBucket(this.rate);
    else this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.maxKeys) {
      this.#buckets.delete(this.#buckets.keys().next().value!);
    }
    const { granted, retryAfter } = bucket.take(cost);
    if (!granted) throw new ConfabError("rate_limited", undefined, { retryAfter });
  }
}
