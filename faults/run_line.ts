import type { RunSummary } from "./seed_run.ts";

/** A run in one line, for people. */
export function runLine(run: RunSummary): string {
  const { seed, seconds, writes, deliveries, faults, convergeMs, violations, ms } = run;
  const byWay = Object.entries(writes).filter(([, count]) => count > 0)
    .map(([via, count]) => `${via} ${count}`).join(" ");
  const times = Object.values(faults).reduce((sum, count) => sum + count, 0);
  const converged = convergeMs === undefined ? "did not converge" : `converged ${convergeMs} ms`;
  return [
    `seed ${seed}`,
    `${seconds} s (${(ms / 1000).toFixed(0)} s in all)`,
    `writes ${byWay || "none"}`,
    `deliveries ${deliveries}`,
    `faults ${times} of ${Object.keys(faults).length} classes`,
    converged,
    violations === 0 ? "ok" : `${violations} VIOLATIONS`,
  ].join("  ");
}

/** The faults of a run by class, a line each. */
export function faultLines({ faults }: RunSummary): string[] {
  return Object.entries(faults).sort().map(([name, count]) => `   ${count} ${name}`);
}
