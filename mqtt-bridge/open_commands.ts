import { backoffMs, pause } from "../lib/backoff.ts";
import { ConfabError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { PrincipalId } from "../lib/protocol.ts";
import { commandPublish } from "./command_publish.ts";
import type { BridgeStore, Publisher } from "./ports.ts";
import type { Topics } from "./topics.ts";

/** What publishing open commands works with; one per term of the lease. */
export interface OpenCommandsOptions {
  topics: Topics;
  store: Pick<BridgeStore, "openCommands">;
  publisher: Publisher;
  log: Log;
  /** The term is over. */
  signal: AbortSignal;
}

const PAGE = 200;
/** Devices of one question. */
const DEVICES = 200;
/** Devices that may wait; beyond it, all that have open commands are asked for. */
const MAX_WAITING = 10_000;
const PAUSE_MS = 250;

/**
 * Publishes commands again that wait for an answer: those of a device that has come, because it may
 * have been away without a session, and all of them when the connection to the broker is new,
 * because it may have lost what it kept. A device's commands come in the order in which they were
 * sent, at least once; it obeys each `commandId` once.
 */
export class OpenCommands {
  readonly #born = new Set<PrincipalId>();
  #all = false;
  /** The devices whose commands are being published; null: all, undefined: nobody's. */
  #underWay: readonly PrincipalId[] | null | undefined;
  #wake: () => void = () => {};

  constructor(private readonly o: OpenCommandsOptions) {}

  /** A device has come. */
  born(device: PrincipalId): void {
    if (this.#born.size < MAX_WAITING) this.#born.add(device);
    else this.#all = true;
    this.#wake();
  }

  /** The connection to the broker is new. */
  connected(): void {
    this.#all = true;
    this.#wake();
  }

  /**
   * True when a device's open commands are about to be published, a new one with them: by itself it
   * would come before older ones. It is not lost with this bridge: the next one's connection
   * publishes all.
   */
  takes(device: PrincipalId): boolean {
    // They may have been read before this one was stored.
    if (this.#underWay === null || this.#underWay?.includes(device)) this.born(device);
    return this.#all || this.#born.has(device);
  }

  /** Runs until the signal. */
  async run(): Promise<void> {
    const { signal, log } = this.o;
    for (let failures = 0; !signal.aborted;) {
      const devices = await this.#next();
      if (devices === undefined) return;
      try {
        await this.#publishAll(devices);
        this.#underWay = undefined;
        failures = 0;
        await pause(PAUSE_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        for (const device of devices ?? []) this.#born.add(device);
        if (devices === null) this.#all = true;
        this.#underWay = undefined;
        if (++failures === 5) log.warn("Open commands are published later", { error });
        await pause(backoffMs(failures, { baseMs: 100, capMs: 5000 }), signal);
      }
    }
  }

  /** The devices to publish for, null for all; undefined at the signal. */
  async #next(): Promise<PrincipalId[] | null | undefined> {
    const { signal } = this.o;
    while (!this.#all && this.#born.size === 0) {
      if (signal.aborted) return undefined;
      const waking = new AbortController();
      this.#wake = () => waking.abort();
      await pause(3_600_000, AbortSignal.any([signal, waking.signal]));
    }
    if (signal.aborted) return undefined;
    if (this.#all) {
      this.#all = false;
      this.#born.clear();
      return this.#underWay = null;
    }
    const devices = [...this.#born].slice(0, DEVICES);
    for (const device of devices) this.#born.delete(device);
    return this.#underWay = devices;
  }

  async #publishAll(devices: PrincipalId[] | null): Promise<void> {
    for (let after = 0; !this.o.signal.aborted;) {
      const page = await this.o.store.openCommands(devices, after, PAGE);
      const publishes = page.map((command) => {
        const out = commandPublish(command, this.o.topics, command.readAt.getTime());
        return out && this.#publish(out.topic, out.payload, out.options);
      });
      const results = await Promise.allSettled(publishes);
      for (const result of results) if (result.status === "rejected") throw result.reason;
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return;
      after = last.number;
    }
  }

  /** One that the broker refuses for good is left out: it expires. */
  #publish(...publish: Parameters<Publisher["publish"]>): Promise<void> {
    return this.o.publisher.publish(...publish).catch((error) => {
      if (!(error instanceof ConfabError) || error.code !== "forbidden") throw error;
      this.o.log.error("The broker refuses a command to a device", { topic: publish[0], error });
    });
  }
}
