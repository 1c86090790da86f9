/**
 * Runs Confab under faults and judges what clients saw:
 * `deno task faults [--seed N] [--seconds S] [--runs R] [--jobs J] [--keep DIR] [--report FILE]
 * [--verbose]`, or with `--plants [NAME]` sees that planted bugs are found. See docs/faults.md.
 */
import { inParallel } from "./in_parallel.ts";
import { keepRun } from "./kept_run.ts";
import { runPlants } from "./plant_runs.ts";
import { plantLine } from "./plant_line.ts";
import { PLANTS } from "./plants.ts";
import { writeReport } from "./report.ts";
import { faultLines, runLine } from "./run_line.ts";
import { readOptions, type RunOptions } from "./run_options.ts";
import { runSeed } from "./seed_run.ts";

// deno-lint-ignore no-console -- the output of a command
const say = console.log;

/** Ends like a summary of tests, and resolves to the exit code. */
function summary(passed: number, failed: number, startedAt: number): number {
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const verdict = failed === 0 ? "ok" : "FAILED";
  say(`\n${verdict} | ${passed} passed | ${failed} failed (${seconds}s)`);
  return failed === 0 ? 0 : 1;
}

async function runSeeds(options: RunOptions): Promise<number> {
  const startedAt = performance.now();
  const { seconds, runs, jobs, report, verbose } = options;
  const seeds = Array.from({ length: runs }, (_, i) => options.seed + i);
  const summaries = await inParallel(
    seeds.map((seed) => async () => {
      const dir = await Deno.makeTempDir({ prefix: `confab-faults-logs-${seed}-` });
      await Deno.chmod(dir, 0o711); // Postgres may run as somebody else
      const log = verbose ? { log: (line: string) => say(`   ${line}`) } : {};
      const run = await runSeed({ seed, seconds, dir, ...log });
      say(runLine(run.summary));
      if (verbose) { for (const line of faultLines(run.summary)) say(line); }
      if (run.violations.length > 0) {
        for (const line of await keepRun(run, dir, options.keep)) say(line);
      } else await Deno.remove(dir, { recursive: true });
      return run.summary;
    }),
    jobs,
  );
  if (report !== undefined) await writeReport(report, summaries);
  const failed = summaries.filter(({ violations }) => violations > 0).length;
  return summary(runs - failed, failed, startedAt);
}

async function runPlanted(wanted: string, jobs: number): Promise<number> {
  const startedAt = performance.now();
  const plants = PLANTS.filter(({ name }) => name.includes(wanted));
  if (plants.length === 0) throw new Error(`No planted bug is called "${wanted}"`);
  const done = await runPlants(plants, jobs, (run) => say(plantLine(run)));
  const failed = done.filter(({ passed }) => !passed).length;
  return summary(done.length - failed, failed, startedAt);
}

async function main(args: readonly string[]): Promise<number> {
  let options;
  try {
    options = readOptions(args);
  } catch (error) {
    say((error as Error).message);
    return 2;
  }
  const { plants, jobs } = options;
  return plants === undefined ? await runSeeds(options) : await runPlanted(plants, jobs);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
