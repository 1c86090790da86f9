import type { Figure } from "./figures.ts";
import type { Pins } from "./pins.ts";
import type { Scene } from "./scene.ts";

/** What a bench works with. */
export interface BenchContext {
  scene: Scene;
  pins: Pins;
  /** A smoke test: fewer and shorter runs, whose figures say little. */
  quick: boolean;
  /** Tells people how far it is. */
  log: (line: string) => void;
}

/** Measures, and returns a figure for each thing measured. */
export type Bench = (context: BenchContext) => Promise<Figure[]>;
