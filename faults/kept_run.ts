import type { SeedRun } from "./seed_run.ts";
import type { Violation } from "./violation.ts";

/** Violations of one check that are shown. */
const SHOWN = 5;

/** Keeps what a failing run saw, beside what its processes wrote; returns what to tell people. */
export async function keepRun(
  { summary, violations, history, counts }: SeedRun,
  logs: string,
  keep: string | undefined,
): Promise<string[]> {
  const dir = keep === undefined ? logs : `${keep}/seed-${summary.seed}`;
  if (dir !== logs) {
    await Deno.mkdir(dir, { recursive: true });
    for await (const { name } of Deno.readDir(logs)) {
      await Deno.copyFile(`${logs}/${name}`, `${dir}/${name}`);
    }
    await Deno.remove(logs, { recursive: true });
  }
  const json = (value: unknown) => JSON.stringify(value, null, 1);
  await Deno.writeTextFile(`${dir}/violations.json`, json(violations));
  await Deno.writeTextFile(`${dir}/counts.json`, json({ summary, counts }));
  if (history !== undefined) {
    await Deno.writeTextFile(`${dir}/history.json`, JSON.stringify(history));
  }
  const { seed, seconds } = summary;
  return [
    ...shown(violations),
    `   kept in ${dir}`,
    `   again: deno task faults --seed ${seed} --seconds ${seconds}`,
  ];
}

function shown(violations: readonly Violation[]): string[] {
  const byCheck = Map.groupBy(violations, ({ check }) => check);
  return [...byCheck].flatMap(([check, found]) => [
    `   ${check}: ${found.length}`,
    ...found.slice(0, SHOWN).map(({ message }) => `      ${message}`),
  ]);
}
