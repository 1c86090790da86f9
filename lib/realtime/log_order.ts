import type { LogEntry } from "../protocol.ts";

/** Entries to read from the store, both ends included. */
export interface Range {
  from: number;
  to: number;
}

/** Bounds of a {@link LogOrder}; the defaults are what nodes run with. */
export interface LogOrderOptions {
  /** Entries that one read asks for at most. */
  pageEntries?: number;
  /** Entries kept while those before them are missing; later ones are read again. */
  maxPending?: number;
}

/**
 * The decisions of a room's feed, without time and I/O: takes entries in any order and more than
 * once, accepts each once and in order, and says what to read where they do not come. Nothing is
 * accepted before {@link start}. The model in `testing/model/` checks this class as it is.
 */
export class LogOrder {
  /** The last seq that was accepted; undefined before start(). */
  head: number | undefined;
  /** The history that everything accepted belongs to; undefined: that of the first entry. */
  #epoch: string | undefined;
  readonly #pageEntries: number;
  readonly #maxPending: number;
  #accepted: LogEntry[] = [];
  #pending = new Map<number, LogEntry>();
  /** The highest seq known to exist. */
  #target = 0;
  /** The highest seq heard of since the read under way began. */
  #heard = 0;
  #reading = false;
  #lost = false;

  constructor({ pageEntries = 500, maxPending = 1000 }: LogOrderOptions = {}) {
    this.#pageEntries = pageEntries;
    this.#maxPending = maxPending;
  }

  /** How many entries were accepted and not taken yet. */
  get waiting(): number {
    return this.#accepted.length;
  }

  /** True when wish() has something to say. */
  get wishes(): boolean {
    if (this.#lost) return true;
    return !this.#reading && this.head !== undefined && this.#target > this.head;
  }

  /** The entries accepted since the last time, in order. */
  take(): LogEntry[] {
    const accepted = this.#accepted;
    this.#accepted = [];
    return accepted;
  }

  /**
   * Goes on after `head`: what came earlier is dropped, what came later is sorted in. With `epoch`,
   * what came of another history is dropped too.
   */
  start(head: number, epoch?: string): void {
    this.head = head;
    this.#epoch = epoch;
    this.#dropOld();
    if (epoch !== undefined) {
      for (const entry of this.#pending.values()) {
        if (entry.epoch !== epoch) this.#pending.delete(entry.seq);
      }
    }
    this.#drain();
  }

  /** Takes committed entries in any order. */
  entries(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      const { seq } = entry;
      if (seq > this.#target) this.#target = seq;
      if (seq > this.#heard) this.#heard = seq;
      if (this.head !== undefined) {
        if (seq <= this.head) continue;
        if (seq === this.head + 1) {
          if (this.#pending.size > 0) this.#pending.delete(seq);
          if (this.#accept(entry)) continue;
          return;
        }
      }
      if (this.#pending.size < this.#maxPending) this.#pending.set(seq, entry);
    }
    this.#drain();
  }

  /** The room is known to have entries up to `seq`. */
  reach(seq: number): void {
    if (seq > this.#target) this.#target = seq;
    if (seq > this.#heard) this.#heard = seq;
  }

  /**
   * What to read now, answered with read() or failed() before there is another wish. `lost`, said
   * once: entries that were announced are not in the store, but later ones are; or what follows
   * belongs to another history. Whoever was served what came before must begin anew.
   */
  wish(): Range | "lost" | undefined {
    if (!this.wishes) return undefined;
    if (this.#lost) {
      this.#lost = false;
      return "lost";
    }
    this.#reading = true;
    this.#heard = 0;
    const from = this.head! + 1;
    return { from, to: Math.min(this.#target, from + this.#pageEntries - 1) };
  }

  /** Takes what the store holds of `range`, ascending, perhaps nothing. */
  read({ from }: Range, found: readonly LogEntry[]): void {
    this.#reading = false;
    for (const entry of found) {
      if (entry.seq === this.head! + 1 && !this.#accept(entry)) return;
    }
    this.#drain();
    if (this.head! < from) {
      if (found.length > 0) this.#lost = true;
      // Announced, but not there (yet): believe the store, unless one heard of more meanwhile.
      else this.#target = Math.max(this.head!, this.#heard);
    }
    if (this.head! >= this.#target) this.#dropOld();
  }

  /** The read came to nothing; the next notice makes the wish again. */
  failed(): void {
    this.#reading = false;
  }

  #drain(): void {
    if (this.head === undefined || this.#pending.size === 0) return;
    let entry;
    while ((entry = this.#pending.get(this.head + 1)) !== undefined) {
      this.#pending.delete(entry.seq);
      if (!this.#accept(entry)) return;
    }
  }

  /** False when the entry belongs to another history. */
  #accept(entry: LogEntry): boolean {
    this.#epoch ??= entry.epoch;
    if (entry.epoch !== this.#epoch) {
      this.#lost = true;
      return false;
    }
    this.head = entry.seq;
    this.#accepted.push(entry);
    return true;
  }

  #dropOld(): void {
    for (const seq of this.#pending.keys()) if (seq <= this.head!) this.#pending.delete(seq);
  }
}
