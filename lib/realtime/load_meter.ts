/** How often the event loop is asked whether it is late, in milliseconds. */
const EVERY_MS = 100;
/** Over how long lateness is smoothed: shorter fits of it, such as a collection of garbage, pass. */
const SMOOTH_MS = 2000;
/** Longer pauses count as so long: a process that was stopped has nothing to do any more. */
const LONGEST_MS = 1000;
/** Every so many times, memory is measured as well. */
const MEMORY_EVERY = 5;

/** Memory of this process, in bytes. */
export interface Memory {
  rss: number;
  heapTotal: number;
  external: number;
}

/** What a meter judges by, and how it measures. */
export interface LoadMeterOptions {
  /** Resident memory from which on it is short, if half of that is in use. */
  rssBytes?: number;
  /** Bytes in use outside the heap beyond those of the start. */
  nativeBytes?: () => number;
  /** Milliseconds. */
  now?: () => number;
  memory?: () => Memory;
}

/** Measures how busy this process is, all the time, until it is stopped. */
export class LoadMeter {
  /** How late timers are, smoothed, in milliseconds. */
  delayMs = 0;
  /** Resident memory, in bytes. */
  rssBytes = 0;
  /**
   * There is none for more. Resident memory alone does not say so: an allocator keeps what a burst
   * took, uses it again, and may never give it back.
   */
  memoryIsShort = false;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #options: Required<LoadMeterOptions>;
  /** Bytes outside the heap at the start. */
  readonly #base: number;
  #at: number;
  #ticks = 0;

  constructor(options: LoadMeterOptions = {}) {
    this.#options = {
      rssBytes: Infinity,
      nativeBytes: () => 0,
      now: () => performance.now(),
      memory: () => Deno.memoryUsage(),
      ...options,
    };
    this.#at = this.#options.now();
    const { rss, heapTotal, external } = this.#options.memory();
    this.#base = Math.max(0, rss - heapTotal - external);
    this.#measureMemory();
    this.#timer = setInterval(() => this.tick(), EVERY_MS);
    Deno.unrefTimer(Number(this.#timer));
  }

  /** Takes one measurement; called by a timer. */
  tick(): void {
    const at = this.#options.now();
    const lateMs = Math.max(0, Math.min(LONGEST_MS, at - this.#at - EVERY_MS));
    const share = 1 - Math.exp(-(lateMs + EVERY_MS) / SMOOTH_MS);
    this.delayMs += (lateMs - this.delayMs) * share;
    this.#at = at;
    if (++this.#ticks % MEMORY_EVERY === 0) this.#measureMemory();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #measureMemory(): void {
    const { memory, rssBytes, nativeBytes } = this.#options;
    const { rss, heapTotal, external } = memory();
    this.rssBytes = rss;
    this.memoryIsShort = rss >= rssBytes &&
      this.#base + heapTotal + external + nativeBytes() >= rssBytes / 2;
  }
}
