import type { JoinOk, LogEntry } from "../protocol.ts";
import type { LogPage } from "./answers.ts";

/** How far a room's log was applied. */
export interface Cursor {
  epoch: string;
  seq: number;
}

/**
 * What follows an input: nothing; `fetch` the log after the cursor; or `lost`, the cursor is of no
 * use any more and a join will say what holds.
 */
export type Step = "nothing" | "fetch" | "lost";

/** Entries kept while those before them are fetched; later ones are fetched again. */
const MAX_AHEAD = 1000;

/**
 * The decisions of a client that follows a log, without time and I/O: takes what arrives in any
 * order and more than once, applies each entry once, in order, without a gap, and says when the
 * log must be fetched. The model in `testing/model/` checks this class as it is.
 */
export class CatchUp {
  #apply: (entry: LogEntry) => void;
  #maxAhead: number;
  #cursor: Cursor | undefined;
  #ahead = new Map<number, LogEntry>();
  #target = 0;
  #generation = 0;

  /** `apply` is called once for each entry; it may pause or start this. */
  constructor(apply: (entry: LogEntry) => void, maxAhead = MAX_AHEAD) {
    this.#apply = apply;
    this.#maxAhead = maxAhead;
  }

  get cursor(): Cursor | undefined {
    return this.#cursor;
  }

  /** True when the log is known to go on after the cursor. */
  get behind(): boolean {
    return this.#cursor !== undefined && this.#cursor.seq < this.#target;
  }

  /** Starts or goes on at `cursor`; what was held back is dropped. */
  start(cursor: Cursor): void {
    this.pause();
    this.#cursor = cursor;
    this.#target = cursor.seq;
  }

  /** Drops what was held back; the cursor stays. */
  pause(): void {
    this.#generation++;
    this.#ahead.clear();
  }

  /** Takes an entry from the connection. */
  receive(entry: LogEntry): Step {
    const cursor = this.#cursor;
    if (cursor === undefined) return "nothing";
    if (entry.epoch !== cursor.epoch) return "lost";
    if (entry.seq <= cursor.seq) return "nothing";
    this.#target = Math.max(this.#target, entry.seq);
    if (entry.seq === cursor.seq + 1) {
      this.#advance(entry);
      this.#drain();
      return "nothing";
    }
    if (this.#ahead.size < this.#maxAhead) this.#ahead.set(entry.seq, entry);
    return "fetch";
  }

  /** Learns that the log reaches `seq`: {@link behind} says whether something is missing. */
  head(seq: number): void {
    this.#target = Math.max(this.#target, seq);
  }

  /** Takes the page of the log that was fetched after `from`, the cursor of that time. */
  page(from: Cursor, page: LogPage): Step {
    if (page.epoch !== from.epoch) return "lost";
    const generation = this.#generation;
    for (const entry of page.entries) {
      if (entry.seq <= this.#cursor!.seq) continue;
      if (entry.seq > this.#cursor!.seq + 1) return "lost";
      this.#advance(entry);
      if (generation !== this.#generation) return "nothing";
    }
    this.#drain();
    if (page.entries.length === 0) {
      this.#target = Math.min(this.#target, Math.max(page.head, this.#cursor!.seq));
      if (page.head > this.#cursor!.seq) return "lost";
    }
    return this.behind ? "fetch" : "nothing";
  }

  #advance(entry: LogEntry): void {
    this.#cursor = { epoch: entry.epoch, seq: entry.seq };
    this.#apply(entry);
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
}

/**
 * Where a client goes on after a join with `cursor` was accepted. `reset`: that cursor was of no
 * use, so what is held of the room is not either.
 */
export function resume(ok: JoinOk, cursor: Cursor | undefined): { cursor: Cursor; reset: boolean } {
  const reset = cursor !== undefined && ok.recovered !== true;
  if (cursor === undefined || reset) return { cursor: { epoch: ok.epoch, seq: ok.head }, reset };
  return { cursor, reset };
}
