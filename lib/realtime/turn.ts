/** Something with work to do once per turn of the event loop. */
export interface Flushable {
  flush(): void;
}

/** Taking a message in, storing it and sending it on are several turns: each waits for a slice. */
const SLICE_MS = 2;

/**
 * Collects what is to be written and writes it once per turn of the event loop, so that what
 * arrives together leaves together. Long work is cut into slices and goes on after other events.
 */
export class Turn {
  #waiting = new Set<Flushable>();
  #scheduled = false;

  /** `failed` is told what a flush threw; the others are flushed all the same. */
  constructor(private readonly failed: (error: unknown) => void = () => {}) {}

  /** Flushes `work` before long; asking again before that changes nothing. */
  add(work: Flushable): void {
    this.#waiting.add(work);
    if (this.#scheduled) return;
    this.#scheduled = true;
    soon(() => this.#run());
  }

  #run(): void {
    const until = performance.now() + SLICE_MS;
    let done = 0;
    for (const work of this.#waiting) {
      this.#waiting.delete(work);
      try {
        work.flush();
      } catch (error) {
        this.failed(error);
      }
      if (++done % 32 === 0 && performance.now() > until) break;
    }
    this.#scheduled = this.#waiting.size > 0;
    if (this.#scheduled) soon(() => this.#run());
  }
}

/** After the events that are waiting. The global loads with its first use, an import at the start. */
function soon(work: () => void): void {
  // deno-lint-ignore no-node-globals -- nothing on the web platform means the same
  setImmediate(work);
}
