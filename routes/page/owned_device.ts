import type { Device, OwnDevices } from "../../lib/client/mod.ts";
import { toClientError } from "../../lib/client/mod.ts";
import { whileVisible } from "./while_visible.ts";

/** How often it is looked whether somebody changed what the panel shows, in milliseconds. */
export const REREAD_MS = 15_000;

/** A device as its owner sees it, kept up to date; for everybody else there is none. */
export class OwnedDevice {
  readonly rest: OwnDevices;
  #id: string;
  #device: Device | undefined;
  /** How often something was taken: what was asked for before the last time is old. */
  #taken = 0;
  #listeners = new Set<() => void>();
  #stop: () => void;

  constructor(rest: OwnDevices, id: string) {
    this.rest = rest;
    this.#id = id;
    this.#stop = whileVisible(REREAD_MS, () => void this.#read());
    void this.#read();
  }

  /** Undefined while it is not known, and for who is not the owner. */
  get device(): Device | undefined {
    return this.#device;
  }

  /** Takes what a change of one's own was answered with. */
  take(device: Device | undefined): void {
    this.#taken++;
    const changed = JSON.stringify(device) !== JSON.stringify(this.#device);
    this.#device = device;
    if (changed) { for (const listener of this.#listeners) listener(); }
  }

  /** Calls `listener` when the device is another than before. */
  on(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  stop(): void {
    this.#stop();
    this.#listeners.clear();
  }

  async #read(): Promise<void> {
    const taken = this.#taken;
    try {
      const { device } = await this.rest.get(this.#id);
      if (this.#taken === taken) this.take(device);
    } catch (error) {
      if (toClientError(error).code !== "not_found") return;
      // Nobody becomes an owner later.
      this.#stop();
      this.take(undefined);
    }
  }
}
