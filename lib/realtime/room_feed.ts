import type { ErrorCode } from "../errors.ts";
import type { LogEntry, RoomId, Signal } from "../protocol.ts";
import { Batch } from "./batch.ts";
import type { Subscription } from "./subscription.ts";
import type { Flushable, Turn } from "./turn.ts";

/** What a feed asks of its surroundings. */
export interface FeedSource {
  /** Reads the entries `from` to `to`, at most some hundreds of them, from the store. */
  read(room: RoomId, from: number, to: number): Promise<LogEntry[]>;
  /** The feed could not read; the next beacon tries again. */
  failed(room: RoomId, error: unknown): void;
  /** Entries that were announced are not in the store, but later ones are. */
  lost(room: RoomId): void;
  /** A subscriber threw; it is served no more. */
  threw(error: unknown): void;
}

const PAGE = 500;
const MAX_PENDING = 1000;
/**
 * A frame costs 8 to 16 µs to write, whatever is in it. A room takes about half of the time for
 * that: what comes meanwhile shares a frame. Rooms of a few need no pause, full frames no waiting.
 */
const PAUSE = { msPerSubscriber: 0.024, minMs: 2, maxMs: 40, enoughEntries: 32 };

/**
 * The log of one room as it passes through this node: entries come in any order and more than
 * once, and leave in order, once, to everybody who subscribes. A gap is read from the store.
 */
export class RoomFeed implements Flushable {
  readonly subscriptions = new Set<Subscription>();
  /** The last seq that was accepted in order; undefined until the first read of the head. */
  head: number | undefined;
  /** The head that subscribers were last told of by a beacon. */
  toldHead = 0;
  #pending = new Map<number, LogEntry>();
  #accepted: LogEntry[] = [];
  #signals: Signal[] = [];
  /** The highest seq known to exist. */
  #target = 0;
  #filling = false;
  #flushedAt = 0;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(
    readonly room: RoomId,
    private readonly source: FeedSource,
    private readonly turn: Turn,
    private readonly ended: (subscription: Subscription, code: ErrorCode) => void,
  ) {}

  /** Starts after `head`: what came earlier is dropped, what came later is sorted in. */
  start(head: number): void {
    this.head = this.toldHead = head;
    this.#dropOld();
    this.#advance();
  }

  /** Takes committed entries in any order. */
  entries(entries: LogEntry[]): void {
    for (const entry of entries) {
      if (entry.seq > this.#target) this.#target = entry.seq;
      if (this.head !== undefined && entry.seq <= this.head) continue;
      if (this.#pending.size < MAX_PENDING) this.#pending.set(entry.seq, entry);
    }
    if (this.head !== undefined) this.#advance();
  }

  /** The room is known to have entries up to `seq`. */
  reach(seq: number): void {
    if (seq > this.#target) this.#target = seq;
    if (this.head !== undefined) this.#advance();
  }

  /** Takes a signal for everybody here. */
  signal(signal: Signal): void {
    if (this.#signals.length < 100) this.#signals.push(signal);
    this.turn.add(this);
  }

  /** Hands over what was accepted since the last turn. */
  flush(): void {
    if (this.#accepted.length > 0) {
      this.#flushedAt = performance.now();
      const batch = new Batch(this.#accepted);
      this.#accepted = [];
      for (const subscription of this.subscriptions) {
        this.#guard(subscription, () => {
          const code = subscription.take(batch);
          if (code !== undefined) this.ended(subscription, code);
        });
      }
    }
    const signals = this.#signals;
    this.#signals = [];
    for (const signal of signals) {
      const frame = JSON.stringify({ type: "signal", room: this.room, signal });
      for (const subscription of this.subscriptions) {
        if (subscription.position === undefined) continue;
        this.#guard(subscription, () => subscription.subscriber.signal(frame));
      }
    }
  }

  /** Takes nothing more; a read under way is dropped. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#pause);
    this.#pending.clear();
  }

  #advance(): void {
    let entry;
    while ((entry = this.#pending.get(this.head! + 1)) !== undefined) {
      this.#pending.delete(entry.seq);
      this.#accept(entry);
    }
    if (this.#target > this.head! && !this.#filling && !this.#closed) void this.#fill();
  }

  #accept(entry: LogEntry): void {
    this.head = entry.seq;
    this.#accepted.push(entry);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#closed) return;
    const { msPerSubscriber, minMs, maxMs, enoughEntries } = PAUSE;
    const pauseMs = Math.min(maxMs, this.subscriptions.size * msPerSubscriber);
    if (pauseMs < minMs || this.#accepted.length >= enoughEntries) return this.turn.add(this);
    const leftMs = this.#flushedAt + pauseMs - performance.now();
    if (leftMs <= 0) return this.turn.add(this);
    this.#pause ??= setTimeout(() => {
      this.#pause = undefined;
      this.turn.add(this);
    }, leftMs);
  }

  async #fill(): Promise<void> {
    this.#filling = true;
    try {
      while (!this.#closed && this.#target > this.head!) {
        const from = this.head! + 1;
        const found = await this.source.read(
          this.room,
          from,
          Math.min(this.#target, from + PAGE - 1),
        );
        if (this.#closed) return;
        for (const entry of found) if (entry.seq === this.head! + 1) this.#accept(entry);
        while (this.#pending.has(this.head! + 1)) this.#take(this.head! + 1);
        if (this.head! >= from) continue;
        if (found.length > 0) return this.source.lost(this.room);
        // Announced, but not there (yet): believe the store.
        this.#target = this.head!;
      }
      this.#dropOld();
    } catch (error) {
      this.source.failed(this.room, error);
    } finally {
      this.#filling = false;
    }
  }

  #dropOld(): void {
    for (const seq of this.#pending.keys()) if (seq <= this.head!) this.#pending.delete(seq);
  }

  /** One that throws is out, so that it neither misses entries nor keeps others from theirs. */
  #guard(subscription: Subscription, deliver: () => void): void {
    try {
      deliver();
    } catch (error) {
      this.source.threw(error);
      try {
        this.ended(subscription, "internal");
      } catch {
        // It was told; that it throws again is known.
      }
    }
  }

  #take(seq: number): void {
    const entry = this.#pending.get(seq)!;
    this.#pending.delete(seq);
    this.#accept(entry);
  }
}
