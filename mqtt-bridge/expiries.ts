/**
 * What ends at a time that is known beforehand, by id: one timer for the earliest. Times are
 * counted from now, so the clock of who said them does not matter.
 */
export class Expiries {
  /** Milliseconds of performance.now(). */
  readonly #ends = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wakesAt = Infinity;

  constructor(private readonly onDue: (ids: string[]) => void) {}

  /** Something of `id` ends in so many milliseconds; undefined: nothing does. */
  set(id: string, endsInMs: number | undefined): void {
    if (endsInMs === undefined) {
      // The timer may then come for nothing, once.
      this.#ends.delete(id);
      return;
    }
    const end = performance.now() + Math.max(0, endsInMs);
    this.#ends.set(id, end);
    if (end < this.#wakesAt) this.#wakeAt(end);
  }

  /** Ends the timer. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#ends.clear();
    this.#wakesAt = Infinity;
  }

  #wakeAt(time: number): void {
    clearTimeout(this.#timer);
    this.#wakesAt = time;
    // A timer takes at most 2^31 ms; it may also come a little early.
    const waitMs = Math.min(2 ** 31 - 1, Math.max(0, time - performance.now()) + 5);
    this.#timer = setTimeout(() => this.#wake(), waitMs);
  }

  #wake(): void {
    this.#wakesAt = Infinity;
    const now = performance.now();
    const due: string[] = [];
    let next = Infinity;
    for (const [id, end] of this.#ends) {
      if (end <= now) due.push(id);
      else next = Math.min(next, end);
    }
    for (const id of due) this.#ends.delete(id);
    if (next < Infinity) this.#wakeAt(next);
    if (due.length > 0) this.onDue(due);
  }
}
