import type { Clock } from "./clock.ts";

/** Renewed at the latest this long before the end. */
const LEAD_MS = 60_000;
/** A wrong clock here must not make a storm of renewals. */
const SOONEST_MS = 20_000;

/** Renews the identity of a connection before it expires. */
export class Renewal {
  #clock: Clock;
  #renew: () => Promise<number | undefined>;
  #cancel = () => {};
  #busy = false;

  /** `renew` sends a fresh token; it returns the new end in Unix milliseconds if it was told. */
  constructor(clock: Clock, renew: () => Promise<number | undefined>) {
    this.#clock = clock;
    this.#renew = renew;
  }

  /** Plans the next renewal for a connection that ends at `expiresAt` (Unix milliseconds). */
  plan(expiresAt: number): void {
    this.stop();
    const leftMs = expiresAt - this.#clock.now();
    const delayMs = Math.max(SOONEST_MS, leftMs - Math.min(LEAD_MS, leftMs / 3));
    this.#cancel = this.#clock.after(delayMs, () => void this.now());
  }

  /** Renews at once; failures are tried again until the server closes the connection. */
  async now(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    this.stop();
    try {
      const expiresAt = await this.#renew();
      if (expiresAt !== undefined) this.plan(expiresAt);
    } catch {
      this.#cancel = this.#clock.after(SOONEST_MS, () => void this.now());
    } finally {
      this.#busy = false;
    }
  }

  /** Plans nothing any more. */
  stop(): void {
    this.#cancel();
    this.#cancel = () => {};
  }
}
