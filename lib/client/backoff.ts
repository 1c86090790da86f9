import type { Clock } from "./clock.ts";

/** The longest wait that a server may ask for; more is taken for a mistake. */
const MAX_RETRY_AFTER_MS = 5 * 60_000;

/** Waits between attempts: exponential with full jitter. */
export class Backoff {
  #clock: Clock;
  #baseMs: number;
  #capMs: number;
  #attempts = 0;

  constructor(clock: Clock, options: { baseMs?: number; capMs?: number } = {}) {
    this.#clock = clock;
    this.#baseMs = options.baseMs ?? 250;
    this.#capMs = options.capMs ?? 20_000;
  }

  /** How many waits were asked for since the last reset. */
  get attempts(): number {
    return this.#attempts;
  }

  /**
   * Milliseconds before the next attempt: anything from 0 to `baseMs * 2^attempts`, at most
   * `capMs`. What the server asked for (`retryAfter`, seconds) is added, never cut short.
   */
  next(retryAfter = 0): number {
    const ceilingMs = Math.min(this.#capMs, this.#baseMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts++;
    const askedMs = Math.min(MAX_RETRY_AFTER_MS, Math.max(0, retryAfter * 1000));
    return askedMs + this.#clock.random() * ceilingMs;
  }

  /** Starts from the shortest wait again. */
  reset(): void {
    this.#attempts = 0;
  }
}
