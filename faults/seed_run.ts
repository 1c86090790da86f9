import { check } from "./checker.ts";
import type { Work } from "./checks/work_done.ts";
import { startWorld } from "./cluster.ts";
import type { History, Via } from "./history.ts";
import { type NemesisResult, torment } from "./nemesis.ts";
import { plan } from "./nemesis_plan.ts";
import { Random } from "./random.ts";
import type { Violation } from "./violation.ts";
import { Workload, type WorkloadResult } from "./workload.ts";

/** Runs from this length on wait for the alerts of a device that falls silent. */
const ALERTS_SECONDS = 30;

/** What a run of so many seconds must have done at least, to count. */
function leastWork(seconds: number, classes: readonly string[]): Work {
  const acks = { ws: 8 * seconds, rest: 3 * seconds, mqtt: 1.5 * seconds };
  const kinds = { command: seconds, answer: 0.4 * seconds, desire: 0.75 * seconds };
  const metering = { readings: 5 * seconds, told: 2, lateWills: 1, looks: 10 };
  return { acks, kinds, metering, deliveries: 100 * seconds, classes };
}

/** How a run is made. */
export interface SeedRunOptions {
  seed: number;
  seconds: number;
  /** A folder for what all processes write. */
  dir: string;
  /** Told of each fault as it ends. */
  log?: (line: string) => void;
}

/** What came of a run, small enough to keep. */
export interface RunSummary {
  seed: number;
  seconds: number;
  /** Acknowledged writes by the way they went. */
  writes: Record<Via, number>;
  deliveries: number;
  /** Faults that happened, by class. */
  faults: Record<string, number>;
  /** From healing, or the last acknowledgement after it, until every reader had everything. */
  convergeMs: number | undefined;
  violations: number;
  /** From the start of the processes to the verdict. */
  ms: number;
}

/** A run with everything that was seen. */
export interface SeedRun {
  summary: RunSummary;
  violations: Violation[];
  history: History | undefined;
  counts: Record<string, number>;
}

/** One run: a world, people and devices at work on it, faults by the seed, and the verdict. */
export async function runSeed(options: SeedRunOptions): Promise<SeedRun> {
  const startedAt = performance.now();
  const { seed, seconds } = options;
  const end = new AbortController();
  try {
    const { result, nemesis } = await play(options, end.signal);
    const dealt = plan(seed, seconds).dealt;
    const { history, counts } = result;
    const violations = [
      ...check(history, leastWork(seconds, dealt)),
      ...unseen(nemesis),
      ...oddities(result),
    ];
    return {
      summary: summaryOf(options, history, violations, performance.now() - startedAt),
      ...{ violations, history, counts: Object.fromEntries([...counts].sort()) },
    };
  } catch (error) {
    const evidence = error instanceof Error ? error.stack : error;
    const violations = [{ check: "run", message: String(error), evidence }];
    const ms = performance.now() - startedAt;
    const summary = summaryOf(options, undefined, violations, ms);
    return { summary, violations, history: undefined, counts: {} };
  } finally {
    end.abort();
  }
}

async function play(
  { seed, seconds, dir, log }: SeedRunOptions,
  signal: AbortSignal,
): Promise<{ result: WorkloadResult; nemesis: NemesisResult }> {
  const random = new Random(seed);
  await using world = await startWorld({ seed, dir });
  const patience = seconds < ALERTS_SECONDS ? "digests" : "alerts";
  await using workload = await Workload.start(world, {
    ...{ seed, random: random.fork(), signal, patience },
  });
  const nemesis = await torment({
    ...{ world, crowd: workload, plan: plan(seed, seconds), signal },
    ...(log === undefined ? {} : { log }),
  });
  workload.recorder.faults.push(...nemesis.records);
  const result = await workload.finish(nemesis.healedAt);
  // All of them leave politely, and each has its last words recorded.
  await Promise.all([...world.nodes, ...world.bridges].map((one) => one.end("SIGINT")));
  workload.recorder.exits.push(...world.exits);
  return { result, nemesis };
}

function unseen({ unseen }: NemesisResult): Violation[] {
  return unseen.map((one) => ({
    check: "work done",
    message: `The fault ${one.class} was dealt and did not happen: ${one.reason}`,
    evidence: one,
  }));
}

function oddities({ problems, presenceChecked }: WorkloadResult): Violation[] {
  const violations = problems.map((message) => ({ check: "protocol", message, evidence: {} }));
  if (presenceChecked) return violations;
  const message = "Nobody could be asked who is online";
  return [...violations, { check: "work done", message, evidence: {} }];
}

function summaryOf(
  { seed, seconds }: SeedRunOptions,
  history: History | undefined,
  violations: readonly Violation[],
  ms: number,
): RunSummary {
  const writes = { ws: 0, sse: 0, rest: 0, mqtt: 0 };
  for (const { via, acks } of history?.writes ?? []) if (acks.length > 0) writes[via]++;
  const faults: Record<string, number> = {};
  for (const fault of history?.faults ?? []) faults[fault.class] = (faults[fault.class] ?? 0) + 1;
  return {
    ...{ seed, seconds, writes, faults },
    deliveries: (history?.deliveries ?? []).reduce((sum, { entries }) => sum + entries.length, 0),
    convergeMs: convergeMs(history),
    violations: violations.length,
    ms: Math.round(ms),
  };
}

function convergeMs(history: History | undefined): number | undefined {
  const convergence = history?.convergence;
  if (convergence === undefined) return undefined;
  const from = Math.max(convergence.healedAt, convergence.lastAckAt);
  const last = Math.max(...convergence.reached.map(({ at }) => at ?? Infinity));
  return Number.isFinite(last) ? Math.max(0, Math.round(last - from)) : undefined;
}
