import type { Size } from "./bench.ts";
import type { Section } from "./figures.ts";
import type { Machine } from "./machine.ts";
import { sectionTable } from "./table.ts";

/** Load of the last minute above which others are at work. */
const QUIET_LOAD = 0.3;

/** Everything that one run found out; `--json` writes it, and the documents are made from it. */
export interface Report {
  command: string;
  machine: Machine;
  /** Which cores everything ran on. */
  pinning: string;
  postgres: string;
  /** Versions of the peers that were measured. */
  peers: Record<string, string>;
  /** Less than `full` is a smoke test. */
  size: Size;
  /** Times that everything was measured. */
  runs: number;
  /** What is missing, and why. */
  leftOut: string[];
  /** Minutes that the run took. */
  minutes: number;
  sections: Section[];
}

/**
 * What is known after a run of some sections alone: theirs are new and say of which run they are, the
 * others stay. `names` is the order of the sections.
 */
export function renewed(before: Report, now: Report, names: readonly string[]): Report {
  const found = new Map(now.sections.map((section) => [section.name, section]));
  if (before.sections.every(({ name }) => found.has(name))) return now;
  const { command, minutes, machine: { date, load, kernel }, runs } = now;
  const measured = `Measured by ${command} (${minutes} minutes)\n` +
    `${date}, ${kernel}, load ${load} before the run, median of ${runs}`;
  for (const section of found.values()) found.set(section.name, { ...section, measured });
  const kept = before.sections.filter(({ name }) => !found.has(name));
  const sections = [...kept, ...found.values()];
  sections.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
  return { ...before, sections };
}

/** The report for people, as Markdown. */
export function reportText(report: Report): string {
  return [headerText(report), ...report.sections.map(sectionTable)].join("\n\n");
}

/** The machine, the command, and what was left out. */
export function headerText(report: Report): string {
  const { command, machine, pinning, postgres, peers, runs, leftOut, minutes } = report;
  const { cpu, cores, memoryGiB, kernel, deno, date, load } = machine;
  const versions = Object.entries(peers).map(([name, version]) => `${name} ${version}`);
  const lines = [
    ["Command", `${command} (${minutes} minutes)`],
    ["Machine", `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${kernel}`],
    ["Runtime", `Deno ${deno}, ${date}`],
    ["Quiet", quietText(load)],
    ...(report.size === "full" ? [] : [["Size", "a smoke test: these figures say little"]]),
    ["Placing", pinning],
    ["Postgres", postgres],
    ...(versions.length === 0 ? [] : [["Peers", versions.join(", ")]]),
    ["Runs", runs === 1 ? "1" : `median of ${runs} (lowest – highest)`],
    ...leftOut.map((what) => ["Left out", what]),
  ];
  const text = lines.map(([name, value]) => `${name!.padEnd(9)} ${value}`).join("\n");
  return `\`\`\`text\n${text}\n\`\`\``;
}

function quietText(load: number): string {
  return load <= QUIET_LOAD
    ? `load ${load} before the run`
    : `no: load ${load} before the run, so others were at work and these figures say little`;
}
