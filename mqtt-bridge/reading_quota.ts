import { ConfabError, type ErrorCode } from "../lib/errors.ts";
import { TokenBucket } from "../lib/limits/memory.ts";
import type { Rate } from "../lib/limits/mod.ts";

interface Usage {
  bucket: TokenBucket;
  /** When the device was last told of an error, by code. */
  toldAt: Map<ErrorCode, number>;
}

/** A device is told of the same error once in this time, however much is refused. */
export const TELL_MS = 10_000;
const MAX_DEVICES = 20_000;

/** How many readings each device may send, and how often it hears that it may not. */
export class ReadingQuota {
  readonly #usage = new Map<string, Usage>();

  /** `now` is in milliseconds of any clock that never runs backwards. */
  constructor(
    private readonly rate: Rate,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Takes readings that come together, all or none; more than the burst cost all of it. */
  take(device: string, readings: number): boolean {
    const cost = Math.max(1, Math.min(readings, this.rate.burst));
    return this.#of(device).bucket.take(cost, this.now()).granted;
  }

  /** Throws the error unless the device was told of it less than ten seconds ago. */
  refuse(device: string, code: ErrorCode): void {
    const { toldAt } = this.#of(device);
    const now = this.now();
    if (now - (toldAt.get(code) ?? -Infinity) < TELL_MS) return;
    toldAt.set(code, now);
    throw new ConfabError(code);
  }

  #of(device: string): Usage {
    let usage = this.#usage.get(device);
    if (usage === undefined) {
      usage = { bucket: new TokenBucket(this.rate, this.now()), toldAt: new Map() };
    } else this.#usage.delete(device);
    this.#usage.set(device, usage);
    if (this.#usage.size > MAX_DEVICES) this.#usage.delete(this.#usage.keys().next().value!);
    return usage;
  }
}
