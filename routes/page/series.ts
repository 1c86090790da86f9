/** One reading: Unix milliseconds and a number. */
export interface Point {
  at: number;
  value: number;
}

/** The readings of one metric within a window of time, in order of time, bounded. */
export class Series {
  #points: Point[] = [];
  #windowMs: number;
  #maxPoints: number;

  constructor(windowMs: number, maxPoints = 600) {
    this.#windowMs = windowMs;
    this.#maxPoints = maxPoints;
  }

  get points(): readonly Point[] {
    return this.#points;
  }

  /** Takes readings in any order; of two for one moment the later wins. */
  add(points: readonly Point[]): void {
    const all = new Map([...this.#points, ...points].map((point) => [point.at, point]));
    const sorted = [...all.values()].filter(({ at, value }) =>
      Number.isFinite(at) && Number.isFinite(value)
    ).sort((a, b) => a.at - b.at);
    const from = (sorted.at(-1)?.at ?? 0) - this.#windowMs;
    this.#points = sorted.filter(({ at }) => at >= from).slice(-this.#maxPoints);
  }
}
