import type { PrincipalId } from "../lib/protocol.ts";
import type { DeviceStatuses, LeaseHold } from "./ports.ts";

/** Devices in one statement. */
const BATCH = 5_000;
/** Devices remembered between two statements; beyond that the first ones are forgotten. */
const MAX_DEVICES = 100_000;

/**
 * Remembers when devices were last heard, and writes it in one statement for all of them, together
 * with how long there has been a listener. Times are ages, so the clock is the database's.
 */
export class HeardDevices {
  #heard = new Map<PrincipalId, number>();
  #listeningSince: number | undefined;

  constructor(
    private readonly o: { statuses: Pick<DeviceStatuses, "saveHeard">; lease: LeaseHold },
  ) {}

  /** Devices whose hearing is not written yet. */
  get size(): number {
    return this.#heard.size;
  }

  /** A device has said something just now. */
  heard(device: PrincipalId): void {
    this.#heard.delete(device);
    this.#heard.set(device, performance.now());
    if (this.#heard.size <= MAX_DEVICES) return;
    this.#heard.delete(this.#heard.keys().next().value!);
    // Who has been forgotten was not listened to.
    this.#listenAnew();
  }

  /** From now on everything is heard. */
  listening(): void {
    this.#listeningSince = performance.now();
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
    const listeningSince = this.#listeningSince;
    this.#heard = new Map();
    let at = 0;
    try {
      do {
        const part = heard.slice(at, at + BATCH);
        const now = performance.now();
        const devices = part.map(([device, ms]) => ({ device, agoMs: now - ms }));
        const last = at + BATCH >= heard.length;
        const known = last && listeningSince !== undefined &&
          listeningSince === this.#listeningSince;
        const listening = known ? { listeningMs: now - listeningSince } : {};
        if (!await this.o.statuses.saveHeard(this.o.lease, { devices, ...listening })) return false;
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
