import fc from "fast-check";
import { type Pieces, PRODUCTION } from "./pieces.ts";
import { commandOf, schedules } from "./schedule.ts";
import { World } from "./world.ts";

/** Which schedules to run. */
export interface CheckOptions {
  runs: number;
  seed: number;
  /** Where fast-check found a failure: runs that schedule alone. */
  path?: string;
  pieces?: Pieces;
  /** Looks for the shortest schedule that fails; true by default. */
  shrink?: boolean;
}

/** A schedule after which a promise did not hold. */
export interface Failure {
  /** Schedules that were run before it was found, this one included. */
  runs: number;
  error: unknown;
  /** What happened, one line each. */
  story: string[];
  /** The commands, one line each. */
  commands: string[];
  path: string | undefined;
}

/** Runs schedules, one world each; undefined when all promises held. */
export function checkModel(options: CheckOptions): Failure | undefined {
  const { runs, seed, path, pieces = PRODUCTION, shrink = true } = options;
  const property = fc.property(schedules(), (schedule) => new World(pieces).run(schedule));
  const result = fc.check(property, {
    numRuns: runs,
    seed,
    endOnFailure: !shrink,
    ...(path === undefined ? {} : { path }),
  });
  if (!result.failed) return undefined;
  const [schedule] = result.counterexample!;
  const story: string[] = [];
  let error: unknown = result.errorInstance;
  try {
    new World(pieces, story).run(schedule);
  } catch (again) {
    error = again;
  }
  return {
    runs: result.numRuns,
    error,
    story,
    commands: schedule.map((code) => JSON.stringify(commandOf(code))),
    path: result.counterexamplePath ?? undefined,
  };
}

/** A failure as text, with the command that repeats it. */
export function describe({ error, story, commands, path, runs }: Failure, seed: number): string {
  const repeat = `deno task model --seed ${seed}${path === undefined ? "" : ` --path ${path}`}`;
  return [
    `After ${runs} schedules: ${error instanceof Error ? error.message : String(error)}`,
    `Repeat it with: ${repeat}`,
    "",
    ...commands,
    "",
    ...story,
    "",
    error instanceof Error ? error.stack ?? "" : "",
  ].join("\n");
}
