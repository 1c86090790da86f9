import { pause } from "../lib/backoff.ts";
import type { Log } from "../lib/log.ts";
import type { BridgeStore, DeviceCredential, Provisioner } from "./ports.ts";

/** What the roster works with. */
export interface RosterOptions {
  store: Pick<BridgeStore, "devices" | "device">;
  provisioner: Provisioner;
  log: Log;
  beaconSeconds: number;
  signal: AbortSignal;
  /** The device's access, name or secret has changed. */
  onChanged(device: DeviceCredential): void;
}

const FULL_EVERY_MS = 600_000;

/**
 * Notices which devices were made, rotated or disabled, and has the broker's credentials follow:
 * at once when told, otherwise at the next beacon. Everything is compared with the broker's own
 * list at each connection to it and every ten minutes.
 */
export class Roster {
  #known = new Map<string, DeviceCredential>();
  #connected = false;
  #comparedAt = -Infinity;
  #hurry: () => void = () => {};

  constructor(private readonly o: RosterOptions) {}

  async run(): Promise<void> {
    const { signal, beaconSeconds } = this.o;
    while (!signal.aborted) {
      const hurried = new AbortController();
      this.#hurry = () => hurried.abort();
      try {
        if (this.#connected) await this.#compare();
      } catch (error) {
        if (signal.aborted) return;
        if (this.#connected) {
          this.o.log.warn("The broker's credentials are brought up to date later", { error });
        }
      }
      await pause(beaconSeconds * 1000, AbortSignal.any([signal, hurried.signal]));
    }
  }

  /** The connection to the broker is new: it may have forgotten everything. */
  connected(): void {
    this.#connected = true;
    this.#comparedAt = -Infinity;
    this.#hurry();
  }

  /** Nothing can be changed until the next connection, which compares everything. */
  disconnected(): void {
    this.#connected = false;
  }

  /** One device may have changed. */
  async changed(id: string): Promise<void> {
    if (!this.#connected || this.o.signal.aborted) return;
    try {
      const device = await this.o.store.device(id);
      if (device === undefined) return;
      await this.#apply(device);
    } catch (error) {
      if (!this.#connected || this.o.signal.aborted) return;
      this.o.log.warn("A device's credentials are brought up to date later", { device: id, error });
      this.#known.delete(id);
    }
  }

  async #compare(): Promise<void> {
    const devices = await this.o.store.devices();
    if (performance.now() - this.#comparedAt > FULL_EVERY_MS) {
      await this.o.provisioner.reconcile(devices);
      this.#comparedAt = performance.now();
      for (const device of this.#differences(devices)) this.o.onChanged(device);
      this.#known = new Map(devices.map((device) => [device.id, device]));
      return;
    }
    for (const device of this.#differences(devices)) await this.#apply(device);
  }

  #differences(devices: DeviceCredential[]): DeviceCredential[] {
    const gone = new Map(this.#known);
    const changed: DeviceCredential[] = [];
    for (const device of devices) {
      if (gone.get(device.id)?.generation !== device.generation) changed.push(device);
      gone.delete(device.id);
    }
    for (const device of gone.values()) changed.push({ ...device, disabled: true });
    return changed;
  }

  async #apply(device: DeviceCredential): Promise<void> {
    this.o.onChanged(device);
    await this.o.provisioner.ensure(device);
    if (device.disabled) this.#known.delete(device.id);
    else this.#known.set(device.id, device);
  }
}
