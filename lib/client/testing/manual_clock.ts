import type { Clock } from "../clock.ts";

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  /** What random() returns. */
  chance = 0.5;
  /** Every delay asked for, in order. */
  readonly delays: number[] = [];
  #now = Date.UTC(2030, 0, 1);
  #timers = new Set<{ at: number; callback: () => void }>();

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + delayMs, callback };
    this.delays.push(delayMs);
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  random(): number {
    return this.chance;
  }

  /** Lets `ms` pass and runs what is due, in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.at <= end);
      const next = due.sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = end;
  }
}

/** Waits until `condition` holds; fails after 5 s. */
export async function until(condition: () => boolean, what = String(condition)): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** Lets everything run that needs no time: answers that are ready, promises that are settled. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}
