import { pause } from "../lib/backoff.ts";

/** How long a last will waits that is beyond the device's quota. */
const WAIT_MS = 500;

/**
 * Last wills of devices that publish too much. A last will is never refused, as it may be the
 * broker's word that the device has gone; but of many only the newest counts, after a while.
 */
export class LateWills {
  readonly #waiting = new Map<string, AbortController>();

  constructor(private readonly signal: AbortSignal) {}

  /** True after a while, unless something newer of the device came meanwhile. */
  async isNewest(device: string): Promise<boolean> {
    this.overrule(device);
    const overruled = new AbortController();
    this.#waiting.set(device, overruled);
    await pause(WAIT_MS, AbortSignal.any([overruled.signal, this.signal]));
    if (overruled.signal.aborted) return false;
    this.#waiting.delete(device);
    return true;
  }

  /** Something newer of the device has come. */
  overrule(device: string): void {
    this.#waiting.get(device)?.abort();
    this.#waiting.delete(device);
  }
}
