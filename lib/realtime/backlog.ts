import type { LogEntry } from "../protocol.ts";
import { frameChars } from "./batch.ts";

/** Bounds of a {@link Backlog}, in UTF-16 units of frames. */
export interface BacklogOptions {
  /** What is handed over at once, and never less than one entry. */
  sliceChars?: number;
  /** From here on nothing more should be added. */
  longChars?: number;
}

/** What a room has to hand over, oldest first, in slices that a reader's buffer can take. */
export class Backlog {
  readonly #sliceChars: number;
  readonly #longChars: number;
  #entries: LogEntry[] = [];
  #chars = 0;

  constructor({ sliceChars = 256 * 1024, longChars = 4 * 1024 * 1024 }: BacklogOptions = {}) {
    this.#sliceChars = sliceChars;
    this.#longChars = longChars;
  }

  /** The next entry to hand over. */
  get first(): LogEntry | undefined {
    return this.#entries[0];
  }

  get length(): number {
    return this.#entries.length;
  }

  /** True while more would only take memory: it can be read from the store in time. */
  get isLong(): boolean {
    return this.#chars >= this.#longChars;
  }

  /** Adds entries that follow the last one. */
  add(entries: LogEntry[]): void {
    for (const entry of entries) this.#chars += frameChars(entry);
    if (this.#entries.length === 0) this.#entries = entries;
    else for (const entry of entries) this.#entries.push(entry);
  }

  /** Takes the next entries out; there must be one. */
  slice(): LogEntry[] {
    if (this.#chars <= this.#sliceChars) {
      const all = this.#entries;
      this.#entries = [];
      this.#chars = 0;
      return all;
    }
    let count = 0;
    let chars = 0;
    for (const entry of this.#entries) {
      const more = frameChars(entry);
      if (count > 0 && chars + more > this.#sliceChars) break;
      chars += more;
      count++;
    }
    this.#chars -= chars;
    return this.#entries.splice(0, count);
  }
}
