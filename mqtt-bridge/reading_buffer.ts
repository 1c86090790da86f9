import type { ReadingValue } from "../lib/protocol.ts";
import type { ReadingBucket, SourceReadings, Stay } from "./telemetry_ports.ts";

/** Length of the buckets, in milliseconds. */
export const BUCKET_MS = 10_000;

interface Metric {
  value: ReadingValue;
  at: number;
  count: number;
  buckets: Map<number, ReadingBucket>;
}

interface Source extends Stay {
  dropped: number;
  metrics: Map<string, Metric>;
}

/** Where a bucket is, so that the oldest can be found and dropped. */
interface Held {
  bucket: ReadingBucket;
  source: Source;
  metric: Metric;
}

/** How much may wait. */
export interface BufferBounds {
  /** Metrics with readings, of all devices. */
  metrics: number;
  /** Buckets of ten seconds. */
  buckets: number;
}

/** Bounds that hold some 60 MB when all is used. */
export const DEFAULT_BOUNDS: BufferBounds = { metrics: 50_000, buckets: 100_000 };

/**
 * Readings that are not stored yet: of each metric the latest, and its numbers in buckets of ten
 * seconds, so that a second's readings cost a row for each metric and not for each reading. When
 * there is too much, the oldest buckets go and are counted as dropped; the latest values stay.
 */
export class ReadingBuffer {
  #sources = new Map<string, Source>();
  /** In the order in which they were begun. */
  #held = new Set<Held>();
  #metrics = 0;

  constructor(private readonly bounds: BufferBounds = DEFAULT_BOUNDS) {}

  /** What waits. */
  get size(): { sources: number; metrics: number; buckets: number } {
    return { sources: this.#sources.size, metrics: this.#metrics, buckets: this.#held.size };
  }

  /** Takes a reading; `at` is in milliseconds since 1970. Answers with how many had to go for it. */
  add(
    stay: Stay,
    { metric, value, at }: { metric: string; value: ReadingValue; at: number },
  ): number {
    const source = this.#source(stay);
    if (source === undefined) return 1;
    let held = source.metrics.get(metric);
    if (held === undefined) {
      if (this.#metrics >= this.bounds.metrics) {
        source.dropped++;
        return 1;
      }
      this.#metrics++;
      source.metrics.set(metric, held = { value, at, count: 0, buckets: new Map() });
    }
    held.count++;
    if (at >= held.at) {
      held.value = value;
      held.at = at;
    }
    return typeof value === "number" ? this.#bucket(source, held, value, at) : 0;
  }

  /** Counts readings of a device that were not taken. */
  drop(stay: Stay, count: number): void {
    const source = this.#source(stay);
    if (source !== undefined) source.dropped += count;
  }

  /** Hands over everything, and begins anew. */
  take(): SourceReadings[] {
    const sources = [...this.#sources.values()].map(({ metrics, ...source }) => ({
      ...source,
      metrics: [...metrics].map(([metric, { value, at, count, buckets }]) => ({
        metric,
        value,
        at,
        count,
        buckets: [...buckets.values()],
      })),
    }));
    this.#sources = new Map();
    this.#held = new Set();
    this.#metrics = 0;
    return sources;
  }

  #source({ room, device, joinedSeq }: Stay): Source | undefined {
    const key = `${room}/${device}/${joinedSeq}`;
    let source = this.#sources.get(key);
    if (source === undefined) {
      if (this.#sources.size >= this.bounds.metrics) return undefined;
      this.#sources.set(key, source = { room, device, joinedSeq, dropped: 0, metrics: new Map() });
    }
    return source;
  }

  #bucket(source: Source, metric: Metric, value: number, at: number): number {
    const start = Math.floor(at / BUCKET_MS) * BUCKET_MS;
    const known = metric.buckets.get(start);
    if (known !== undefined) {
      include(known, value, at);
      return 0;
    }
    const first = { at: start, count: 1, min: value, max: value, sum: value };
    const bucket: ReadingBucket = { ...first, last: value, lastAt: at };
    metric.buckets.set(start, bucket);
    this.#held.add({ bucket, source, metric });
    return this.#held.size > this.bounds.buckets ? this.#dropOldest() : 0;
  }

  #dropOldest(): number {
    const [oldest] = this.#held;
    if (oldest === undefined) return 0;
    this.#held.delete(oldest);
    const { bucket, source, metric } = oldest;
    metric.buckets.delete(bucket.at);
    source.dropped += bucket.count;
    return bucket.count;
  }
}

function include(bucket: ReadingBucket, value: number, at: number): void {
  bucket.count++;
  bucket.min = Math.min(bucket.min, value);
  bucket.max = Math.max(bucket.max, value);
  bucket.sum += value;
  if (at < bucket.lastAt) return;
  bucket.last = value;
  bucket.lastAt = at;
}
