import type { Used } from "./meter.ts";

/** What a figure should be: not above, or not below. */
export type Goal = { atMost: number } | { atLeast: number };

/** One measured figure: the median of its runs, and the lowest and highest of them. */
export interface Figure {
  /** What is being done, such as `1,000 sockets, closed loop: deliveries`; shared by all systems. */
  what: string;
  unit: string;
  /** Null: not measured, `note` says why. */
  median: number | null;
  low: number | null;
  high: number | null;
  runs: number;
  /** The system it was measured on. Absent: Confab. */
  who?: System;
  goal?: Goal;
  /** How busy the load generator was, in percent of a core; the median of the runs. */
  loadBusy?: number;
  /** The load generator's core was full, so the server might do better than this. */
  loadBound?: boolean;
  note?: string;
}

/** Figures that stand in one table. */
export interface Section {
  name: string;
  title: string;
  figures: Figure[];
  /** The run that measured it, where that is another one than the report's. */
  measured?: string;
}

/** The systems that are compared, and whether a message is stored before anybody gets it. */
export const SYSTEMS = {
  "Confab": "committed first",
  "Confab, signals": "not durable",
  "ws": "not durable",
  "Socket.IO, Redis": "not durable",
  "Mosquitto": "QoS 0, not durable",
} as const;
/** The name of a compared system. */
export type System = keyof typeof SYSTEMS;

/** More of the load generator's core than this, in percent, and it may be what was measured. */
const FULL = 90;

/** What a figure may have besides its values. */
export interface FigureOptions {
  goal?: Goal | undefined;
  who?: System;
  used?: Used[];
  note?: string;
}

/** Sums up the values of all runs; `goal` in the same unit. */
export function figure(
  what: string,
  unit: string,
  values: number[],
  { goal, who, used, note }: FigureOptions = {},
): Figure {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const number = (value: number | undefined) =>
    value === undefined || Number.isNaN(value) ? null : Number(value.toPrecision(6));
  const busy = used === undefined ? [] : used.map(({ loadBusy }) => loadBusy).sort((a, b) => a - b);
  const core = (used ?? []).map(({ loadCoreBusy }) => loadCoreBusy).sort((a, b) => a - b);
  return {
    what,
    unit,
    median: number(percentile(sorted, 50)),
    low: number(sorted[0]),
    high: number(sorted.at(-1)),
    runs: values.length,
    ...(who === undefined || who === "Confab" ? {} : { who }),
    ...(goal === undefined ? {} : { goal }),
    ...(busy.length === 0 ? {} : { loadBusy: Math.round(percentile(busy, 50)) }),
    ...(percentile(core, 50) > FULL ? { loadBound: true } : {}),
    ...(note === undefined ? {} : { note }),
  };
}

/** Whether the median reaches the goal; undefined without a goal or a value. */
export function reached({ median, goal }: Figure): boolean | undefined {
  if (goal === undefined || median === null) return undefined;
  return "atMost" in goal ? median <= goal.atMost : median >= goal.atLeast;
}

/** By how many percent of the goal the median misses it; 0 when it does not. */
export function missedBy(one: Figure): number {
  const { median, goal } = one;
  if (reached(one) !== false) return 0;
  const aim = "atMost" in goal! ? goal.atMost : goal!.atLeast;
  return Math.abs(median! - aim) * 100 / aim;
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
