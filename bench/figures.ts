/** What a figure should be: not above, or not below. */
export type Goal = { atMost: number } | { atLeast: number };

/** One measured figure: the median of its runs, and the lowest and highest of them. */
export interface Figure {
  what: string;
  unit: string;
  median: number;
  low: number;
  high: number;
  runs: number;
  goal?: Goal;
}

/** Sums up the values of all runs; `goal` in the same unit. */
export function figure(what: string, unit: string, values: number[], goal?: Goal): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    what,
    unit,
    median: percentile(sorted, 50),
    low: sorted[0] ?? NaN,
    high: sorted.at(-1) ?? NaN,
    runs: values.length,
    ...(goal === undefined ? {} : { goal }),
  };
}

/** Whether the median reaches the goal; undefined without a goal. */
export function reached({ median, goal }: Figure): boolean | undefined {
  if (goal === undefined) return undefined;
  return "atMost" in goal ? median <= goal.atMost : median >= goal.atLeast;
}

/** The nearest-rank percentile of numbers in ascending order; the mean of the middle two for 50. */
export function percentile(sorted: ArrayLike<number>, percent: number): number {
  const { length } = sorted;
  if (length === 0) return NaN;
  if (percent === 50 && length % 2 === 0) {
    return (sorted[length / 2 - 1]! + sorted[length / 2]!) / 2;
  }
  return sorted[Math.max(0, Math.ceil(length * percent / 100) - 1)]!;
}
