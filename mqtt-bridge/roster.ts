import { pause } from "../lib/backoff.ts";
import type { Log } from "../lib/log.ts";
import { Changes } from "./changes.ts";
import { Expiries } from "./expiries.ts";
import type { BridgeStore, DeviceCredential, Provisioner } from "./ports.ts";

/** What the roster works with. */
export interface RosterOptions {
  store: Pick<BridgeStore, "devices" | "devicesOf">;
  provisioner: Provisioner;
  log: Log;
  beaconSeconds: number;
  signal: AbortSignal;
  /** The device's access, name or secret has changed. */
  onChanged(device: DeviceCredential): void;
  /** These devices have access that they did not have before. */
  onReturned(ids: string[]): Promise<void>;
  /** These devices are deleted, and the broker knows it. */
  onDeleted?(ids: string[]): void;
}

const FULL_EVERY_MS = 600_000;
const RETRY_MS = 1000;
/** Known of a device that has access, but not at the broker yet. */
const WAITING = "";

/**
 * Notices which devices were made, rotated, disabled or enabled, and has the broker's credentials
 * follow: at once when told, otherwise at the next beacon; and when a former secret ends.
 * Everything is compared with the broker's own list at each connection to it and every ten minutes.
 *
 * One loop applies all changes, in short batches, and reads each device anew before: a single
 * change overtakes a long repair, and nothing is applied that is not so any more.
 */
export class Roster {
  /** What was applied of each device that has access. */
  readonly #known = new Map<string, string>();
  readonly #changes = new Changes();
  readonly #expiries: Expiries;
  #connected = false;
  #comparedAt = -Infinity;
  #compareSoon: () => void = () => {};
  #applySoon: () => void = () => {};

  constructor(private readonly o: RosterOptions) {
    this.#expiries = new Expiries((ids) => this.#urgent(ids));
  }

  async run(): Promise<void> {
    try {
      await Promise.all([this.#compareLoop(), this.#applyLoop()]);
    } finally {
      this.#expiries.stop();
    }
  }

  /** The connection to the broker is new: it may have forgotten everything. */
  connected(): void {
    this.#connected = true;
    this.#comparedAt = -Infinity;
    this.#compareSoon();
  }

  /** Nothing can be changed until the next connection, which compares everything. */
  disconnected(): void {
    this.#connected = false;
    this.#changes.clear();
  }

  /** One device may have changed; ids of others do no harm. */
  changed(id: string): void {
    if (this.#connected && !this.o.signal.aborted) this.#urgent([id]);
  }

  #urgent(ids: string[]): void {
    this.#changes.urgent(ids);
    this.#applySoon();
  }

  #later(ids: string[]): void {
    this.#changes.later(ids);
    this.#applySoon();
  }

  async #compareLoop(): Promise<void> {
    const { signal, beaconSeconds } = this.o;
    while (!signal.aborted) {
      const hurried = new AbortController();
      this.#compareSoon = () => hurried.abort();
      try {
        if (this.#connected) await this.#compare();
      } catch (error) {
        this.#warn(error);
      }
      await pause(beaconSeconds * 1000, AbortSignal.any([signal, hurried.signal]));
    }
  }

  async #applyLoop(): Promise<void> {
    const { signal } = this.o;
    while (!signal.aborted) {
      const hurried = new AbortController();
      this.#applySoon = () => hurried.abort();
      const ids = this.#connected ? this.#changes.take() : [];
      if (ids.length === 0) {
        await pause(2 ** 31 - 1, AbortSignal.any([signal, hurried.signal]));
        continue;
      }
      const startedAt = performance.now();
      try {
        await this.#apply(ids);
        this.#changes.took(ids.length, performance.now() - startedAt);
      } catch (error) {
        this.#warn(error);
        if (this.#connected) this.#changes.later(ids);
        await pause(RETRY_MS, AbortSignal.any([signal, hurried.signal]));
      }
    }
  }

  #warn(error: unknown): void {
    if (!this.#connected || this.o.signal.aborted) return;
    this.o.log.warn("The broker's credentials are brought up to date later", { error });
  }

  async #compare(): Promise<void> {
    const devices = await this.o.store.devices();
    const gone = new Set(this.#known.keys());
    for (const { id } of devices) gone.delete(id);
    if (performance.now() - this.#comparedAt <= FULL_EVERY_MS) {
      const changed = devices.filter((device) => this.#known.get(device.id) !== stateOf(device));
      // Who is new can wait for who has lost something.
      const isNew = ({ id }: DeviceCredential) => (this.#known.get(id) ?? WAITING) === WAITING;
      this.#urgent([...gone, ...changed.filter((one) => !isNew(one)).map(({ id }) => id)]);
      return this.#later(changed.filter(isNew).map(({ id }) => id));
    }
    const wrong = new Set(await this.o.provisioner.differing(devices));
    await this.#returned(devices);
    for (const device of devices) {
      const { id } = device;
      if (this.#known.get(id) !== stateOf(device)) this.o.onChanged(device);
      if (!wrong.has(id)) this.#note(device);
      else if (!this.#known.has(id)) this.#known.set(id, WAITING);
    }
    this.#comparedAt = performance.now();
    this.#urgent([...gone]);
    this.#later([...wrong]);
    if (wrong.size === 0) return;
    const fields = { devices: devices.length, changes: wrong.size };
    this.o.log.info("The broker's credentials are brought up to date", fields);
  }

  /** Brings the broker up to date with what the store says of these now. */
  async #apply(ids: string[]): Promise<void> {
    const found = new Map((await this.o.store.devicesOf(ids)).map((one) => [one.id, one]));
    const devices = ids.map((id) => found.get(id) ?? unknown(id));
    for (const device of devices) {
      if (this.#known.get(device.id) !== stateOf(device)) this.o.onChanged(device);
    }
    await this.o.provisioner.apply(devices);
    this.o.onDeleted?.(devices.filter(({ deleted }) => deleted).map(({ id }) => id));
    await this.#returned(devices);
    for (const device of devices) this.#note(device);
  }

  async #returned(devices: DeviceCredential[]): Promise<void> {
    const returned = devices.filter(({ id, disabled }) => !disabled && !this.#known.has(id));
    if (returned.length > 0) await this.o.onReturned(returned.map(({ id }) => id));
  }

  #note(device: DeviceCredential): void {
    const { id, former, disabled } = device;
    const state = stateOf(device);
    this.#expiries.set(id, disabled ? undefined : former?.endsInMs);
    if (state === undefined) this.#known.delete(id);
    else this.#known.set(id, state);
  }
}

/** Nobody knows it: whatever a broker has of it is to go. */
function unknown(id: string): DeviceCredential {
  return { id, generation: 0, plainGeneration: 0, disabled: true };
}

/** What tells two states of one device's access apart; undefined without access. */
function stateOf(device: DeviceCredential): string | undefined {
  const { generation, former, disabled } = device;
  return disabled ? undefined : `${generation} ${former?.generation ?? ""}`;
}
