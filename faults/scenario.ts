import type { Work } from "./checks/work_done.ts";
import { check } from "./checker.ts";
import { startWorld } from "./cluster.ts";
import type { History } from "./history.ts";
import { Stage } from "./stage.ts";
import type { Violation } from "./violation.ts";

/** A directed sequence of faults and actions: short, the same each time, and made for one promise. */
export interface Scenario {
  name: string;
  /** One sentence: what happens. */
  what: string;
  nodes: number;
  bridges: number;
  /** Settings of the nodes that make it short. */
  env?: Record<string, string>;
  play(stage: Stage): Promise<void>;
  /** What must have happened for the run to count. */
  least: Omit<Work, "classes">;
}

/** How a scenario is played. */
export interface PlayOptions {
  /** The main.ts to run; default: this tree's. */
  main?: string;
  seed?: number;
  /** A folder for what processes write. */
  dir?: string;
}

/** What became of it. */
export interface Played {
  history: History | undefined;
  violations: Violation[];
  ms: number;
}

/** Plays a scenario in a world of its own, and judges it. */
export async function playScenario(scenario: Scenario, options: PlayOptions): Promise<Played> {
  const { seed = 1, main, dir } = options;
  const { nodes, bridges, least, env = {} } = scenario;
  const startedAt = performance.now();
  const ms = () => Math.round(performance.now() - startedAt);
  await using world = await startWorld({
    ...{ seed, nodes, bridges, env },
    ...(main === undefined ? {} : { main }),
    ...(dir === undefined ? {} : { dir }),
  });
  let stage: Stage | undefined;
  try {
    stage = await Stage.open(world, seed);
    await scenario.play(stage);
    const history = await stage.finish();
    return { history, violations: check(history, { ...least, classes: [] }), ms: ms() };
  } catch (error) {
    const evidence = error instanceof Error ? error.stack : error;
    const violations = [{ check: "scenario", message: String(error), evidence }];
    return { history: stage?.recorder.history(), violations, ms: ms() };
  } finally {
    stage?.close();
  }
}
