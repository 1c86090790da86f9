import type { PrincipalId } from "../lib/protocol.ts";
import type { DeviceStatuses, LeaseHold } from "./ports.ts";

/** Devices in one statement. */
const BATCH = 5_000;
/** Devices remembered between two statements; beyond that the first ones are forgotten. */
const MAX_DEVICES = 100_000;

/**
 * Remembers when devices were last heard, and writes it in one statement for all of them, together
 * with how long there has been a listener: from when to when everything that came to the broker has
 * been heard. Times are ages, so the clock is the database's.
 */
export class HeardDevices {
  #heard = new Map<PrincipalId, number>();
  #listeningSince: number | undefined;
  #caughtUpAt = -Infinity;
  readonly #now: () => number;

  constructor(
    private readonly o: {
      statuses: Pick<DeviceStatuses, "saveHeard">;
      lease: LeaseHold;
      /** A clock that never runs backwards, in milliseconds. */
      now?: (() => number) | undefined;
    },
  ) {
    this.#now = o.now ?? (() => performance.now());
  }

  /** Devices whose hearing is not written yet. */
  get size(): number {
    return this.#heard.size;
  }

  /** A device has said something just now. */
  heard(device: PrincipalId): void {
    this.#heard.delete(device);
    this.#heard.set(device, this.#now());
    if (this.#heard.size <= MAX_DEVICES) return;
    this.#heard.delete(this.#heard.keys().next().value!);
    // Who has been forgotten was not listened to.
    this.#listenAnew();
  }

  /** From now on everything is heard, sooner or later. */
  listening(): void {
    this.#listeningSince = this.#now();
  }

  /** Everything that came to the broker up to this time has been heard. */
  caughtUp(at: number): void {
    this.#caughtUpAt = Math.max(this.#caughtUpAt, at);
  }

  /** True when that was longer ago. */
  isBehind(ms: number): boolean {
    return this.#caughtUpAt < this.#now() - ms;
  }

  /** The connection to the broker is over. */
  deaf(): void {
    this.#listeningSince = undefined;
  }

  /**
   * Writes what was heard since the last time; what could not be written is kept. False: the lease
   * is not held any more.
   */
  async save(): Promise<boolean> {
    const heard = [...this.#heard];
    const [since, until] = [this.#listeningSince, this.#caughtUpAt];
    this.#heard = new Map();
    let at = 0;
    try {
      do {
        const part = heard.slice(at, at + BATCH);
        const now = this.#now();
        const devices = part.map(([device, ms]) => ({ device, agoMs: now - ms }));
        const last = at + BATCH >= heard.length;
        const known = last && since !== undefined && since === this.#listeningSince &&
          until >= since;
        const listened = known ? { listened: { fromMs: now - since, toMs: now - until } } : {};
        if (!await this.o.statuses.saveHeard(this.o.lease, { devices, ...listened })) return false;
        at += BATCH;
      } while (at < heard.length);
      return true;
    } catch (error) {
      const later = this.#heard;
      this.#heard = new Map(heard.slice(at).filter(([device]) => !later.has(device)));
      for (const [device, ms] of later) this.#heard.set(device, ms);
      throw error;
    }
  }

  #listenAnew(): void {
    if (this.#listeningSince !== undefined) this.listening();
  }
}
