import { ConfabError } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import type { Log } from "../lib/log.ts";
import type { Reading } from "../lib/protocol.ts";
import type { ReadingBuffer } from "./reading_buffer.ts";
import type { TelemetryOptions } from "./telemetry.ts";
import type { SourceReadings, Stay, TelemetryLane } from "./telemetry_ports.ts";

/** Rows of one statement, unless one device alone has more. */
const BATCH_ROWS = 3000;
/** Signals that leave in one turn of the event loop: a room takes a hundred. */
const SIGNALS_PER_TURN = 50;

interface Batch {
  /** Given with the first try: a batch that is tried again is the same. */
  number: number | undefined;
  sources: SourceReadings[];
}

/** What storing needs. */
export interface ReadingStoreOptions {
  lane: Pick<TelemetryLane, "store" | "show">;
  /** The device is not in the room any more, may only read there, or has come back to it. */
  onGone(stay: Stay): void;
  meter: TelemetryOptions["meter"];
  log: Log;
}

/**
 * Stores what a buffer has, in batches that each count once however often they are sent, and shows
 * it to those who look. What could not be stored stays for the next time, before anything else.
 */
export class ReadingStore {
  readonly #writer = newId();
  #number = 0;
  #batches: Batch[] = [];

  constructor(private readonly o: ReadingStoreOptions) {}

  /** What was taken from the buffer and is not stored. */
  get size(): { metrics: number; buckets: number } {
    const sources = this.#batches.flatMap(({ sources }) => sources);
    const metrics = sources.flatMap(({ metrics }) => metrics);
    const buckets = metrics.reduce((sum, { buckets }) => sum + buckets.length, 0);
    return { metrics: metrics.length, buckets };
  }

  /**
   * Stores what is left from before and then what `buffer` has now; each device is shown once.
   * Rejects with ConfabError `unavailable` when the database is away.
   */
  async flush(buffer: Pick<ReadingBuffer, "take">): Promise<void> {
    if (this.#batches.length === 0) this.#batches = batchesOf(buffer.take());
    for (let batch; (batch = this.#batches[0]) !== undefined;) {
      batch.number ??= ++this.#number;
      const { number, sources } = batch;
      const gone = await this.#store(number, sources);
      this.#batches.shift();
      if (gone !== undefined) await this.#stored(sources, new Set(gone));
      else if (sources.length > 1) this.#batches.unshift(...halves(sources));
      else this.#refused(sources[0]!);
    }
  }

  /** Undefined when the database refuses the batch. */
  async #store(number: number, sources: SourceReadings[]): Promise<number[] | undefined> {
    try {
      return await this.o.lane.store({ writer: this.#writer, number, sources });
    } catch (error) {
      if (error instanceof ConfabError && error.code !== "internal") throw error;
      this.o.log.error("A batch of readings was refused", { sources: sources.length, error });
      return undefined;
    }
  }

  #refused(source: SourceReadings): void {
    this.o.meter?.dropped(readingsOf(source), "refused");
  }

  async #stored(sources: SourceReadings[], gone: Set<number>): Promise<void> {
    let shown = 0;
    for (const [i, source] of sources.entries()) {
      if (gone.has(i)) {
        this.o.onGone(source);
        continue;
      }
      if (source.metrics.length === 0) continue;
      this.o.meter?.stored(readingsOf(source));
      this.o.lane.show(source.room, source.device, source.metrics.map(shownReading));
      if (++shown % SIGNALS_PER_TURN === 0) await new Promise((turn) => setTimeout(turn, 0));
    }
  }
}

function shownReading({ metric, value, at }: SourceReadings["metrics"][number]): Reading {
  return { metric, value, at: new Date(at).toISOString() };
}

function readingsOf({ metrics }: SourceReadings): number {
  return metrics.reduce((sum, { count }) => sum + count, 0);
}

function batchesOf(sources: SourceReadings[]): Batch[] {
  const batches: Batch[] = [];
  let rows = Infinity;
  for (const source of sources) {
    const own = source.metrics.reduce((sum, { buckets }) => sum + 1 + buckets.length, 1);
    if (rows + own > BATCH_ROWS) {
      batches.push({ number: undefined, sources: [] });
      rows = 0;
    }
    batches.at(-1)!.sources.push(source);
    rows += own;
  }
  return batches;
}

function halves(sources: SourceReadings[]): Batch[] {
  const middle = Math.ceil(sources.length / 2);
  return [sources.slice(0, middle), sources.slice(middle)]
    .map((sources) => ({ number: undefined, sources }));
}
