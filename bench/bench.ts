import type { Figure } from "./figures.ts";
import type { Pins } from "./pins.ts";
import type { Scene } from "./scene.ts";

/** How much a run measures: everything, a few minutes of it, or each scenario in miniature. */
export type Size = "full" | "quick" | "tiny";

/** What a bench works with. */
export interface BenchContext {
  scene: Scene;
  pins: Pins;
  /** Times that everything is measured. */
  runs: number;
  /** The value for the size of this run. */
  pick: <T>(full: T, quick: T, tiny: T) => T;
  /** Whether peers are measured too. */
  peers: boolean;
  /** Tells people how far it is. */
  log: (line: string) => void;
  /** Tells people, also those who read the figures, what is missing and why. */
  leftOut: (what: string) => void;
}

/** Measures, and returns a figure for each thing measured. */
export type Bench = (context: BenchContext) => Promise<Figure[]>;

/** `1,000` for 1000. */
export function count(number: number): string {
  return number.toLocaleString("en-US");
}

/** Does `work` once for each run, one after the other. */
export async function repeat<T>(
  { runs, log }: BenchContext,
  what: string,
  work: () => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  for (let run = 0; run < runs; run++) {
    log(`  ${what}, run ${run + 1}`);
    results.push(await work());
  }
  return results;
}
