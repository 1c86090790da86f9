/** Counts durations in steps of 0.1 ms, up to a minute. */
export class Latencies {
  readonly #steps = new Float64Array(600_001);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(ms: number, times = 1): void {
    this.#steps[Math.min(this.#steps.length - 1, Math.max(0, Math.ceil(ms * 10)))]! += times;
    this.#count += times;
  }

  /** Milliseconds that `percent` of the durations did not exceed; NaN when there is none. */
  percentile(percent: number): number {
    let left = this.#count * percent / 100;
    if (this.#count === 0) return NaN;
    for (let step = 0; step < this.#steps.length; step++) {
      left -= this.#steps[step]!;
      if (left <= 0) return step / 10;
    }
    return (this.#steps.length - 1) / 10;
  }
}
