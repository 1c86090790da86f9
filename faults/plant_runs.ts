import { inParallel } from "./in_parallel.ts";
import { type Plant, plantIn } from "./plant.ts";
import { playScenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";
import { TreeCopy } from "./tree_copy.ts";
import type { Violation } from "./violation.ts";

/** What became of one planted bug, or (`plant` undefined) of a scenario without any. */
export interface PlantRun {
  plant: Plant | undefined;
  scenario: string;
  ms: number;
  violations: Violation[];
  /** A planted bug that was found by an expected check; a scenario without one that has none. */
  passed: boolean;
}

/**
 * Plays every scenario that `plants` need, without a bug, and each plant in a copy of the tree.
 * `told` is called with each as it ends; the result has the scenarios first.
 */
export async function runPlants(
  plants: readonly Plant[],
  jobs: number,
  told: (run: PlantRun) => void,
): Promise<PlantRun[]> {
  const names = [...new Set(plants.map(({ scenario }) => scenario))];
  const works = [
    ...names.map((name) => ({ name, plant: undefined })),
    ...plants.map((plant) => ({ name: plant.scenario, plant })),
  ];
  const play = async ({ name, plant }: typeof works[number]) => {
    const run = await playOne(name, plant).catch((error) => failed(name, plant, error));
    told(run);
    return run;
  };
  return await inParallel(works.map((work) => () => play(work)), jobs);
}

async function playOne(name: string, plant: Plant | undefined): Promise<PlantRun> {
  await using stack = new AsyncDisposableStack();
  let main: string | undefined;
  if (plant !== undefined) {
    const copy = stack.use(await TreeCopy.make());
    await plantIn(copy.root, plant);
    main = copy.main;
  }
  const options = main === undefined ? {} : { main };
  const { violations, ms } = await playScenario(SCENARIOS.get(name)!, options);
  const passed = plant === undefined
    ? violations.length === 0
    : violations.some(({ check }) => plant.expected.includes(check));
  return { plant, scenario: name, ms, violations, passed };
}

/** One that could not be played at all. */
function failed(scenario: string, plant: Plant | undefined, error: unknown): PlantRun {
  const violations = [{ check: "scenario", message: String(error), evidence: {} }];
  return { plant, scenario, ms: 0, violations, passed: false };
}
