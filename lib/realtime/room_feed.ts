import type { ErrorCode } from "../errors.ts";
import type { LogEntry, RoomId, Signal } from "../protocol.ts";
import { Backlog } from "./backlog.ts";
import { Batch } from "./batch.ts";
import { LogOrder } from "./log_order.ts";
import type { Subscription } from "./subscription.ts";
import type { Flushable, Turn } from "./turn.ts";

/** What a feed asks of its surroundings. */
export interface FeedSource {
  /** Reads the entries `from` to `to`, at most some hundreds of them, from the store. */
  read(room: RoomId, from: number, to: number): Promise<LogEntry[]>;
  /** The feed could not read; the next beacon tries again. */
  failed(room: RoomId, error: unknown): void;
  /** Entries that were announced are not in the store, or what follows is another history. */
  lost(room: RoomId): void;
  /** A subscriber threw; it is served no more. */
  threw(error: unknown): void;
}

/**
 * A frame costs 8 to 16 µs to write, whatever is in it. A room takes about half of the time for
 * that: what comes meanwhile shares a frame. Rooms of a few need no pause, full frames no waiting.
 */
const PAUSE = { msPerSubscriber: 0.024, minMs: 2, maxMs: 40, enoughEntries: 32 };
/**
 * When most of the readers have so much before them, it is the node that is slow: the room waits
 * for them, but not long, as it may be the readers all the same. One of the two lets go then.
 */
const FULL = { bytes: 256 * 1024, readers: 32, waitMs: 100, lookMs: 10 };
/** A reader that has so much before it gets no more of what many devices say at once. */
const BEHIND_BYTES = 64 * 1024;
/** How often it is looked whether such a reader can be told that it has missed something. */
const MISSED_MS = 250;
/** Signals that wait for the next turn; those beyond it are missed by everybody. */
const MAX_SIGNALS = 100;

/**
 * The log of one room as it passes through this node: entries come in any order and more than
 * once, and leave in order, once, to everybody who subscribes. A gap is read from the store.
 * What to accept and to read is decided in {@link LogOrder}; when and how, here.
 */
export class RoomFeed implements Flushable {
  readonly subscriptions = new Set<Subscription>();
  /** The head that subscribers were last told of by a beacon. */
  toldHead = 0;
  readonly #order = new LogOrder();
  readonly #backlog = new Backlog();
  #waitingSince: number | undefined;
  #signals: Signal[] = [];
  #telling: ReturnType<typeof setTimeout> | undefined;
  #flushedAt = 0;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(
    readonly room: RoomId,
    private readonly source: FeedSource,
    private readonly turn: Turn,
    private readonly ended: (subscription: Subscription, code: ErrorCode) => void,
  ) {}

  /** The last seq that was accepted in order; undefined until the first read of the head. */
  get head(): number | undefined {
    return this.#order.head;
  }

  /** The last seq that was handed over: `head`, unless there is a backlog. */
  get handedOver(): number | undefined {
    const next = this.#backlog.first;
    return next === undefined ? this.head : next.seq - 1;
  }

  /** Starts after `head`, see LogOrder. */
  start(head: number, epoch?: string): void {
    this.toldHead = head;
    this.#order.start(head, epoch);
    this.#advance();
  }

  /** Takes committed entries in any order; with a long backlog, only the fact that they are there. */
  entries(entries: LogEntry[]): void {
    if (this.#backlog.isLong) { for (const { seq } of entries) this.#order.reach(seq); }
    else this.#order.entries(entries);
    this.#advance();
  }

  /** The room is known to have entries up to `seq`. */
  reach(seq: number): void {
    this.#order.reach(seq);
    this.#advance();
  }

  /** Takes a signal for everybody here. */
  signal(signal: Signal): void {
    if (this.#signals.length < MAX_SIGNALS) this.#signals.push(signal);
    else if (isLarge(signal)) { for (const one of this.subscriptions) this.#missed(one); }
    this.turn.add(this);
  }

  /**
   * Hands over what was accepted since the last turn, or a slice of it: the rest follows when the
   * outboxes had their turn.
   */
  flush(): void {
    if (this.#backlog.first !== undefined && !this.#waits()) this.#handOver();
    const signals = this.#signals;
    this.#signals = [];
    for (const signal of signals) {
      const frame = JSON.stringify({ type: "signal", room: this.room, signal });
      for (const subscription of this.subscriptions) {
        if (subscription.position === undefined) continue;
        // What a device measures is for members, as over REST
        if (signal.type === "telemetry" && subscription.role === null) continue;
        // It must not cut off a reader who is behind
        if (isLarge(signal) && isBehind(subscription)) this.#missed(subscription);
        else this.#guard(subscription, () => subscription.subscriber.signal(frame));
      }
    }
  }

  /** Takes nothing more; a read under way is dropped. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#pause);
    clearTimeout(this.#telling);
  }

  /** A subscriber lost a signal: it is told so as soon as it is behind no more. */
  #missed(subscription: Subscription): void {
    subscription.hasMissed = true;
    if (this.#closed) return;
    this.#telling ??= setTimeout(() => {
      this.#telling = undefined;
      const frame = JSON.stringify({ type: "signal", room: this.room, signal: { type: "missed" } });
      for (const one of this.subscriptions) {
        if (!one.hasMissed) continue;
        if (one.position === undefined || isBehind(one)) this.#missed(one);
        else {
          one.hasMissed = false;
          this.#guard(one, () => one.subscriber.signal(frame));
        }
      }
    }, MISSED_MS);
  }

  #handOver(): void {
    this.#flushedAt = performance.now();
    const batch = new Batch(this.#backlog.slice());
    for (const subscription of this.subscriptions) {
      this.#guard(subscription, () => {
        const code = subscription.take(batch);
        if (code !== undefined) this.ended(subscription, code);
      });
    }
    if (this.#backlog.first !== undefined) this.turn.add(this);
    this.#advance();
  }

  /** Puts a flush off while most of the readers are full. */
  #waits(): boolean {
    if (this.#closed || !this.#readersAreFull()) {
      this.#waitingSince = undefined;
      return false;
    }
    const now = performance.now();
    this.#waitingSince ??= now;
    if (now - this.#waitingSince >= FULL.waitMs) {
      this.#waitingSince = undefined;
      return false;
    }
    this.#later(FULL.lookMs);
    return true;
  }

  #readersAreFull(): boolean {
    let seen = 0;
    let full = 0;
    for (const { subscriber } of this.subscriptions) {
      seen++;
      if (subscriber.bufferedBytes > FULL.bytes) full++;
      if (seen === FULL.readers) break;
    }
    return full * 2 > seen;
  }

  /** Follows up an input. */
  #advance(): void {
    if (this.#order.waiting > 0) {
      this.#backlog.add(this.#order.take());
      this.#schedule();
    }
    if (this.#mayRead) void this.#fill();
  }

  get #mayRead(): boolean {
    return this.#order.wishes && !this.#closed && !this.#backlog.isLong;
  }

  #schedule(): void {
    if (this.#closed || this.#waitingSince !== undefined) return;
    const { msPerSubscriber, minMs, maxMs, enoughEntries } = PAUSE;
    const pauseMs = Math.min(maxMs, this.subscriptions.size * msPerSubscriber);
    if (pauseMs < minMs || this.#backlog.length >= enoughEntries) return this.turn.add(this);
    const leftMs = this.#flushedAt + pauseMs - performance.now();
    if (leftMs <= 0) return this.turn.add(this);
    this.#later(leftMs);
  }

  #later(ms: number): void {
    this.#pause ??= setTimeout(() => {
      this.#pause = undefined;
      this.turn.add(this);
    }, ms);
  }

  /** Reads what is wished for until nothing is; after a failure, until the next notice. */
  async #fill(): Promise<void> {
    try {
      while (this.#mayRead) {
        const wish = this.#order.wish();
        if (wish === undefined) return;
        if (wish === "lost") return this.source.lost(this.room);
        const found = await this.source.read(this.room, wish.from, wish.to);
        if (this.#closed) return;
        this.#order.read(wish, found);
        if (this.#order.waiting > 0) {
          this.#backlog.add(this.#order.take());
          this.#schedule();
        }
      }
    } catch (error) {
      this.#order.failed();
      this.source.failed(this.room, error);
    }
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
}

/** What devices say is too much for a reader who is behind; it can be read again. */
function isLarge({ type }: Signal): boolean {
  return type === "telemetry" || type === "state";
}

function isBehind({ subscriber }: Subscription): boolean {
  return subscriber.bufferedBytes > BEHIND_BYTES;
}
