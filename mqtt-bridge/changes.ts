/** Aimed at: how long one batch takes. */
const BATCH_MS = 100;
const FIRST = 10;
const MOST = 200;

/**
 * The devices to look at: single changes before the rest, in batches. How many go into one follows
 * from how long the last one took, so that a change that has just come waits for one short batch,
 * however many are left of a broker that lost everything.
 */
export class Changes {
  readonly #urgent = new Set<string>();
  readonly #rest = new Set<string>();
  #size = FIRST;

  get size(): number {
    return this.#urgent.size + this.#rest.size;
  }

  /** Somebody has just changed these. */
  urgent(ids: Iterable<string>): void {
    for (const id of ids) {
      this.#rest.delete(id);
      this.#urgent.add(id);
    }
  }

  /** These are to be looked at when there is nothing else to do. */
  later(ids: Iterable<string>): void {
    for (const id of ids) if (!this.#urgent.has(id)) this.#rest.add(id);
  }

  /** The next batch; empty when there is nothing. */
  take(): string[] {
    const from = this.#urgent.size > 0 ? this.#urgent : this.#rest;
    const batch = [...from.values().take(this.#size)];
    for (const id of batch) from.delete(id);
    return batch;
  }

  /** A batch of so many took so long. */
  took(count: number, ms: number): void {
    // A small one shows when batches are too large, not how large they might be.
    if (count < this.#size && ms < BATCH_MS) return;
    const fits = Math.max(1, Math.round(count * BATCH_MS / Math.max(1, ms)));
    this.#size = Math.min(MOST, 2 * this.#size, fits);
  }

  clear(): void {
    this.#urgent.clear();
    this.#rest.clear();
  }
}
