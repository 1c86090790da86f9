import type { PlantRun } from "./plant_runs.ts";

/** What became of a planted bug, or of a scenario without one, in a line for people. */
export function plantLine({ plant, scenario, ms, violations, passed }: PlantRun): string {
  const counts = new Map<string, number>();
  for (const { check } of violations) counts.set(check, (counts.get(check) ?? 0) + 1);
  const found = [...counts].map(([check, count]) => `${check} ${count}`).join(", ") || "nothing";
  const what = plant === undefined ? `no bug in ${scenario}` : `${plant.name} (${scenario})`;
  const verdict = passed ? "ok    " : plant === undefined ? "FAILED" : "MISSED";
  const line = `${verdict}  ${what.padEnd(64)} ${(ms / 1000).toFixed(1).padStart(5)} s  ${found}`;
  if (passed) return line;
  return [
    line,
    ...violations.slice(0, 5).map(({ check, message }) => `        ${check}: ${message}`),
  ]
    .join("\n");
}
