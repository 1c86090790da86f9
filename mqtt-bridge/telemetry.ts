import { backoffMs, pause } from "../lib/backoff.ts";
import { ConfabError } from "../lib/errors.ts";
import type { Rate } from "../lib/limits/mod.ts";
import type { Log } from "../lib/log.ts";
import type { RoomId } from "../lib/protocol.ts";
import { within } from "../lib/within.ts";
import type { RoomWork } from "./device_work.ts";
import type { KnownDevices } from "./known_devices.ts";
import type { BridgeActions } from "./ports.ts";
import { type BufferBounds, ReadingBuffer } from "./reading_buffer.ts";
import { ReadingQuota } from "./reading_quota.ts";
import { ReadingStore } from "./reading_store.ts";
import { RuleWatch } from "./rule_watch.ts";
import { type PublishedReading, readReadings } from "./telemetry_payload.ts";
import type { TelemetryLane } from "./telemetry_ports.ts";
import { newReadings, type Source, takeNames, TelemetrySources } from "./telemetry_sources.ts";

/** Why readings were dropped. */
export type DropReason = "quota" | "metrics" | "memory" | "refused";

/** How readings are taken. */
export interface TelemetryOptions {
  lane: TelemetryLane;
  /** Readings per device. */
  rate: Rate;
  /** Counts readings that were stored, and those that were dropped. */
  meter?: { stored(readings: number): void; dropped(readings: number, why: DropReason): void };
  /** What may wait in memory. */
  bounds?: BufferBounds;
  /** How often readings are stored. Default 1,000. */
  everyMs?: number;
  /** Milliseconds of any clock that never runs backwards. */
  now?(): number;
}

interface Surroundings {
  actions: Pick<BridgeActions, "send">;
  devices: Pick<KnownDevices, "principal">;
  onStored(room: RoomId, seq: number): void;
  /** A device has published beyond its quota. */
  onRefused?(device: string): void;
  /** True while readings may wait that came long ago: nobody is silent then. */
  isBehind?(): boolean;
  log: Log;
  /** The term is over. */
  signal: AbortSignal;
}

const FINISH_MS = 1000;

/**
 * What devices measure. A publish counts as taken as soon as its readings are in memory, from where
 * they are stored about once a second: a process that dies loses the last second of telemetry.
 */
export class Telemetry {
  readonly #buffer: ReadingBuffer;
  readonly #store: ReadingStore;
  readonly #quota: ReadingQuota;
  readonly #sources: TelemetrySources;
  readonly #rules: RuleWatch;
  #listensSince: number | undefined;
  #failing = false;

  constructor(private readonly t: TelemetryOptions, private readonly o: Surroundings) {
    const { lane } = t;
    this.#buffer = new ReadingBuffer(t.bounds);
    this.#quota = new ReadingQuota(t.rate);
    this.#rules = new RuleWatch({
      lane,
      actions: o.actions,
      principal: (id) => o.devices.principal(id),
      heardFor: () => {
        const since = this.#listensSince;
        return since === undefined || o.isBehind?.() ? 0 : (performance.now() - since) / 1000;
      },
      onChanged: (rule) => this.#sources.expire(rule),
      onStored: o.onStored,
      log: o.log,
    });
    this.#sources = new TelemetrySources(lane, this.#rules, t.now);
    this.#store = new ReadingStore({
      lane,
      onGone: (stay) => this.#sources.gone(stay),
      meter: t.meter,
      log: o.log,
    });
  }

  /** What waits in memory to be stored. */
  get waiting(): { metrics: number; buckets: number } {
    const { metrics, buckets } = this.#buffer.size;
    return {
      metrics: metrics + this.#store.size.metrics,
      buckets: buckets + this.#store.size.buckets,
    };
  }

  /** Takes a publish; throws ConfabError when it is refused. */
  async accept({ device: { id: device }, room, delivery }: RoomWork): Promise<void> {
    const pair = { room, device };
    // Nobody asks the database about room after room without an end.
    if (!this.#sources.knows(pair) && !this.#quota.take(device, 1)) {
      this.t.meter?.dropped(1, "quota");
      this.o.onRefused?.(device);
      return this.#quota.refuse(device, "rate_limited");
    }
    // Before anything is counted, as it may fail and be called again
    const source = await this.#sources.get(pair);
    const now = Date.now();
    const read = source.member ? attempt(() => readReadings(delivery.payload, now)) : absent();
    // What is refused counts, too: it is answered with an error.
    const count = Array.isArray(read) ? read.length : 1;
    if (!this.#quota.take(device, count)) {
      this.#drop(source, count, "quota");
      this.o.onRefused?.(device);
      return this.#quota.refuse(device, "rate_limited");
    }
    if (source.reader) return this.#quota.refuse(device, "read_only");
    if (!Array.isArray(read)) throw read;
    if (!takeNames(source, read.map(({ metric }) => metric))) {
      this.#drop(source, count, "metrics");
      return this.#quota.refuse(device, "too_many_metrics");
    }
    this.#take(source, read, now);
  }

  /**
   * Stores readings, shows them, and follows the rules, until the term is over. Where it ended
   * because the database is away, what was taken is stored once that is back, until `givenUp`.
   */
  async run(givenUp: AbortSignal): Promise<void> {
    const rounds = this.#rounds();
    await over(this.o.signal);
    await within(FINISH_MS, rounds.then(() => this.#finish(givenUp)));
  }

  /** Devices are heard from now on, or not any more. */
  listens(now: boolean): void {
    this.#listensSince = now ? this.#listensSince ?? performance.now() : undefined;
  }

  /** What is known of a device is outdated. */
  forget(device: string): void {
    this.#sources.forget(device);
  }

  #take(source: Source, readings: PublishedReading[], now: number): void {
    const dropped = readings.reduce((sum, one) => sum + this.#buffer.add(source, one), 0);
    if (dropped > 0) this.t.meter?.dropped(dropped, "memory");
    for (const reading of newReadings(source, readings, now)) {
      for (const rule of source.rules) {
        if (rule.rule.metric === reading.metric) this.#rules.offer(rule, reading);
      }
    }
  }

  #drop(source: Source, count: number, why: DropReason): void {
    this.t.meter?.dropped(count, why);
    if (source.member) this.#buffer.drop(source, count);
  }

  async #rounds(): Promise<void> {
    const { signal } = this.o;
    while (!signal.aborted) {
      const startedAt = performance.now();
      await this.#round();
      await pause(Math.max(0, startedAt + (this.t.everyMs ?? 1000) - performance.now()), signal);
    }
  }

  async #finish(givenUp: AbortSignal): Promise<void> {
    for (let failures = 0;;) {
      try {
        return await this.#storeAll();
      } catch (error) {
        if (!passes(error)) this.o.log.error("The last readings could not be stored", { error });
        if (!passes(error) || givenUp.aborted) return;
        if (failures === 0) this.o.log.warn("The last readings wait for the database", { error });
        await pause(backoffMs(++failures, { baseMs: 100, capMs: 1000 }), givenUp);
      }
    }
  }

  /** What is left from before, and what has come since. */
  async #storeAll(): Promise<void> {
    await this.#store.flush(this.#buffer);
    await this.#store.flush(this.#buffer);
    await this.#rules.save();
  }

  async #round(): Promise<void> {
    try {
      await this.#store.flush(this.#buffer);
      await this.#sources.refresh();
      await this.#rules.round();
      if (this.#failing) this.o.log.info("Readings are stored again");
      this.#failing = false;
    } catch (error) {
      if (!passes(error)) this.o.log.error("Readings could not be worked on", { error });
      else if (!this.#failing) this.o.log.warn("Readings wait for the database", { error });
      this.#failing = true;
    }
  }
}

function passes(error: unknown): boolean {
  return error instanceof ConfabError && error.code === "unavailable";
}

function attempt<T>(work: () => T): T | Error {
  try {
    return work();
  } catch (error) {
    return error as Error;
  }
}

function absent(): Error {
  return new ConfabError("not_found", "The device is not in this room");
}

/** Resolves when `signal` is aborted. */
function over(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
