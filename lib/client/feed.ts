import type { LogEntry } from "../protocol.ts";
import type { LogPage } from "./answers.ts";
import { Backoff } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import type { ConfabClientError } from "./errors.ts";
import { toClientError } from "./errors.ts";

/** How far a room's log was applied. */
export interface Cursor {
  epoch: string;
  seq: number;
}

/** What a feed needs and whom it tells. */
export interface FeedOptions {
  clock: Clock;
  fetchLog(cursor: Cursor): Promise<LogPage>;
  /** Called once for each entry, in order, without a gap. */
  apply(entry: LogEntry): void;
  /** The cursor is of no use any more: join again, the server says what holds. */
  lost(): void;
  /** Reading the log was refused for good. */
  refused(error: ConfabClientError): void;
}

/** Entries kept while those before them are fetched; later ones are fetched again. */
const MAX_AHEAD = 1000;
/** A head without its entry: the entry is usually on its way already. */
const GRACE_MS = 700;

/** Turns what arrives into every log entry once, in order, without a gap. */
export class Feed {
  #options: FeedOptions;
  #backoff: Backoff;
  #cursor: Cursor | undefined;
  #ahead = new Map<number, LogEntry>();
  #target = 0;
  #filling = false;
  #generation = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.clock);
  }

  get cursor(): Cursor | undefined {
    return this.#cursor;
  }

  /** Starts or goes on at `cursor`; anything held back or under way is dropped. */
  start(cursor: Cursor): void {
    this.pause();
    this.#cursor = cursor;
    this.#target = cursor.seq;
  }

  /** Fetches nothing until the next start(). */
  pause(): void {
    this.#generation++;
    this.#filling = false;
    this.#ahead.clear();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** Takes an entry from the socket. */
  receive(entry: LogEntry): void {
    const cursor = this.#cursor;
    if (cursor === undefined) return;
    if (entry.epoch !== cursor.epoch) return this.#options.lost();
    if (entry.seq <= cursor.seq) return;
    this.#target = Math.max(this.#target, entry.seq);
    if (entry.seq === cursor.seq + 1) {
      this.#advance(entry);
      return this.#drain();
    }
    if (this.#ahead.size < MAX_AHEAD) this.#ahead.set(entry.seq, entry);
    this.#fill();
  }

  /** Learns that the log reaches `seq`; what has not come by itself soon is fetched. */
  head(seq: number): void {
    this.#target = Math.max(this.#target, seq);
    if (!this.#behind() || this.#filling || this.#cancelTimer !== undefined) return;
    this.#later(GRACE_MS);
  }

  #later(delayMs: number): void {
    this.#cancelTimer = this.#options.clock.after(delayMs, () => {
      this.#cancelTimer = undefined;
      if (this.#behind()) this.#fill();
    });
  }

  #behind(): boolean {
    return this.#cursor !== undefined && this.#cursor.seq < this.#target;
  }

  #advance(entry: LogEntry): void {
    this.#cursor = { epoch: entry.epoch, seq: entry.seq };
    this.#options.apply(entry);
  }

  #drain(): void {
    for (;;) {
      const next = this.#ahead.get((this.#cursor?.seq ?? 0) + 1);
      if (next === undefined) break;
      this.#advance(next);
    }
    for (const seq of this.#ahead.keys()) {
      if (seq <= (this.#cursor?.seq ?? 0)) this.#ahead.delete(seq);
    }
  }

  #fill(): void {
    if (this.#filling) return;
    this.#filling = true;
    const generation = this.#generation;
    this.#fetchAll(generation).then(
      () => {
        if (generation !== this.#generation) return;
        this.#filling = false;
        this.#backoff.reset();
      },
      (error) => {
        if (generation === this.#generation) this.#failed(toClientError(error));
      },
    );
  }

  #failed(failure: ConfabClientError): void {
    this.#filling = false;
    if (failure.transient) {
      this.#cancelTimer?.();
      return this.#later(this.#backoff.next(failure.retryAfter));
    }
    const hidden = [401, 403, 404].includes(failure.status);
    if (hidden) this.#options.refused(failure);
    else this.#options.lost();
  }

  async #fetchAll(generation: number): Promise<void> {
    while (this.#behind()) {
      const cursor = this.#cursor!;
      const page = await this.#options.fetchLog(cursor);
      if (generation !== this.#generation) return;
      if (page.epoch !== cursor.epoch) return this.#options.lost();
      for (const entry of page.entries) {
        if (entry.seq <= this.#cursor!.seq) continue;
        if (entry.seq > this.#cursor!.seq + 1) return this.#options.lost();
        this.#advance(entry);
        if (generation !== this.#generation) return;
      }
      this.#drain();
      if (page.entries.length > 0) continue;
      this.#target = Math.min(this.#target, Math.max(page.head, this.#cursor!.seq));
      if (page.head > this.#cursor!.seq) return this.#options.lost();
    }
  }
}
