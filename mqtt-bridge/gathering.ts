/**
 * Has what comes at about the same time go together: somebody alone goes at once, others within a
 * few milliseconds with all who came meanwhile. A commit of one message costs half a millisecond of
 * the database's time, and each of a dozen in one commit a fraction of that.
 */
export class Gathering {
  #nextMs = -Infinity;
  #turn: Promise<void> | undefined;

  constructor(private readonly everyMs: number) {}

  /** Resolves when it is time to go. */
  turn(): Promise<void> {
    if (this.#turn !== undefined) return this.#turn;
    const waitMs = this.#nextMs - performance.now();
    if (waitMs <= 0) {
      this.#left();
      return Promise.resolve();
    }
    return this.#turn = new Promise((resolve) => {
      setTimeout(() => {
        this.#turn = undefined;
        this.#left();
        resolve();
      }, waitMs);
    });
  }

  #left(): void {
    this.#nextMs = performance.now() + this.everyMs;
  }
}
