import { backoffMs, pause } from "../backoff.ts";
import type { LogEntry, RoomId, Signal } from "../protocol.ts";
import type { Redis } from "../redis/mod.ts";
import { utf8Length } from "../schemas.ts";
import type { Revocation } from "./mod.ts";
import { type EncodedItems, encodePayload } from "./payload.ts";

/** Bounds of what one channel keeps waiting. */
const MAX = { heads: 10_000, signals: 500, revocations: 1_000 };

/** Counters of a bus since it was made. */
export interface BusStats {
  /** Payloads that Redis took. */
  published: number;
  /** Publishes that failed. */
  failed: number;
  /** Payloads of other nodes that arrived. */
  received: number;
  /** Entries that left as a head only: too large, too many, or Redis was away. */
  announced: number;
  /** Signals, heads and revocations that were given up. */
  dropped: number;
  /** Payloads and items on our channels that were not understood. */
  garbage: number;
}

/** What the publisher of one channel needs. */
export interface PublisherOptions {
  redis: Redis;
  channel: string;
  node: string;
  stats: BusStats;
  /** Ends the publisher. */
  signal: AbortSignal;
  maxPayloadBytes: number;
  maxBacklogBytes: number;
  /** Told after every publish whether it went through. */
  link: (up: boolean) => void;
}

interface WaitingEntry {
  room: RoomId;
  seq: number;
  json: string;
  bytes: number;
}

/** What one publish carries. */
interface Batch {
  items: EncodedItems;
  heads: Map<RoomId, number>;
  entries: WaitingEntry[];
}

/**
 * Publishes to one channel, one payload at a time: what comes while one is under way is collected
 * into the next, so a busy channel costs few commands and needs no timer. What cannot be carried
 * shrinks to the head of its room, which costs the receiver one read of the store.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #heads = new Map<RoomId, number>();
  #entries: WaitingEntry[] = [];
  #entryBytes = 0;
  #signals: string[] = [];
  #signalBytes = 0;
  #revocations: string[] = [];
  #failures = 0;
  #pumping: Promise<void> | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  entry(entry: LogEntry): void {
    if (this.#failures > 0) return this.#announce(entry);
    const json = JSON.stringify(entry);
    const bytes = utf8Length(json) + 1;
    if (bytes > this.#options.maxPayloadBytes) return this.#announce(entry);
    this.#entries.push({ room: entry.room, seq: entry.seq, json, bytes });
    this.#entryBytes += bytes;
    if (this.#entryBytes > this.#options.maxBacklogBytes) this.#shrink();
    this.#pump();
  }

  head(room: RoomId, seq: number): void {
    const known = this.#heads.get(room);
    if (known === undefined && this.#heads.size >= MAX.heads) this.#options.stats.dropped++;
    else if (known === undefined || known < seq) this.#heads.set(room, seq);
    this.#pump();
  }

  signal(room: RoomId, signal: Signal): void {
    const json = JSON.stringify([room, signal]);
    const bytes = utf8Length(json) + 1;
    const full = this.#signals.length >= MAX.signals ||
      this.#signalBytes + bytes > this.#options.maxPayloadBytes;
    if (this.#failures > 0 || full) {
      this.#options.stats.dropped++;
      return;
    }
    this.#signals.push(json);
    this.#signalBytes += bytes;
    this.#pump();
  }

  revocation(revocation: Revocation): void {
    this.#revocations.push(JSON.stringify(revocation));
    this.#bound();
    this.#pump();
  }

  /** Resolves when nothing waits any more, or the publisher was ended. */
  async drained(): Promise<void> {
    await this.#pumping;
  }

  #announce({ room, seq }: { room: RoomId; seq: number }): void {
    this.#options.stats.announced++;
    this.head(room, seq);
  }

  /** Turns all waiting entries into heads and drops the signals. */
  #shrink(): void {
    const entries = this.#entries;
    this.#entries = [];
    this.#entryBytes = 0;
    this.#options.stats.dropped += this.#signals.length;
    this.#signals = [];
    this.#signalBytes = 0;
    for (const entry of entries) this.#announce(entry);
  }

  /** The oldest revocations go first: every node finds those in the store, too. */
  #bound(): void {
    const excess = this.#revocations.length - MAX.revocations;
    if (excess <= 0) return;
    this.#revocations.splice(0, excess);
    this.#options.stats.dropped += excess;
  }

  #pump(): void {
    this.#pumping ??= this.#run();
  }

  async #run(): Promise<void> {
    const { redis, channel, node, stats, signal, link } = this.#options;
    await null; // collects all that is published in this turn
    while (this.#waiting() && !signal.aborted) {
      const batch = this.#take();
      try {
        await redis.publish(channel, encodePayload(node, batch.items));
        stats.published++;
        this.#failures = 0;
        link(true);
      } catch {
        this.#failures++;
        stats.failed++;
        this.#giveBack(batch);
        link(false);
        await pause(backoffMs(this.#failures), signal);
        if (!this.#waiting()) this.#forgive();
      }
    }
    this.#pumping = undefined;
  }

  /** Only signals were lost: nothing is left that could show when Redis takes payloads again. */
  #forgive(): void {
    this.#failures = 0;
    this.#options.link(true);
  }

  #waiting(): boolean {
    return this.#entries.length + this.#heads.size + this.#signals.length +
        this.#revocations.length > 0;
  }

  /** Takes the next payload: heads and revocations, then entries, then signals if there is room. */
  #take(): Batch {
    const items: EncodedItems = { heads: [], entries: [], signals: [], revocations: [] };
    const heads = new Map<RoomId, number>();
    let left = this.#options.maxPayloadBytes;
    for (const [room, seq] of this.#heads) {
      if (left <= 0) break;
      const json = JSON.stringify([room, seq]);
      left -= json.length + 1;
      items.heads.push(json);
      heads.set(room, seq);
      this.#heads.delete(room);
    }
    items.revocations = this.#revocations;
    this.#revocations = [];
    let count = 0;
    let bytes = 0;
    for (const entry of this.#entries) {
      if (count > 0 && bytes + entry.bytes > left) break;
      if (count === 0 && heads.size > 0 && entry.bytes > left) break;
      bytes += entry.bytes;
      count++;
    }
    const entries = this.#entries.splice(0, count);
    this.#entryBytes -= bytes;
    items.entries = entries.map((entry) => entry.json);
    const nothingElse = heads.size + entries.length + items.revocations.length === 0;
    if (nothingElse || this.#signalBytes <= left - bytes) {
      items.signals = this.#signals;
      this.#signals = [];
      this.#signalBytes = 0;
    }
    return { items, heads, entries };
  }

  /** Keeps what a failed publish must not lose, in its smallest form. */
  #giveBack({ items, heads, entries }: Batch): void {
    this.#entries.unshift(...entries);
    this.#signals.push(...items.signals);
    this.#revocations.unshift(...items.revocations);
    for (const [room, seq] of heads) this.head(room, seq);
    this.#shrink();
    this.#bound();
  }
}
