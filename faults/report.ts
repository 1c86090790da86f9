import { describeMachine, type Machine } from "../bench/machine.ts";
import type { RunSummary } from "./seed_run.ts";

const DOCUMENT = new URL("../docs/faults.md", import.meta.url);
const BEGIN = "<!-- results: begin, written by deno task faults --report -->";
const END = "<!-- results: end -->";

/** The figures of many runs, as they are kept in JSON. */
export interface Report {
  commands: string[];
  machine: Machine;
  /** By seed and seconds; a repeated run replaces its earlier self. */
  runs: RunSummary[];
}

/**
 * Merges runs into the JSON file at `path`, and writes the table of all into docs/faults.md.
 * Delete the file to begin anew.
 */
export async function writeReport(path: string, runs: readonly RunSummary[]): Promise<void> {
  const command = `deno task faults ${Deno.args.join(" ")}`;
  const report = merged(await readReport(path), command, await describeMachine(), runs);
  await Deno.writeTextFile(path, `${JSON.stringify(report, null, 2)}\n`);
  const text = await Deno.readTextFile(DOCUMENT);
  await Deno.writeTextFile(DOCUMENT, withTable(text, tableOf(report)));
}

async function readReport(path: string): Promise<Report | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The old runs and the new ones, in the order of their seeds. */
export function merged(
  old: Report | undefined,
  command: string,
  machine: Machine,
  runs: readonly RunSummary[],
): Report {
  const all = new Map(
    [...old?.runs ?? [], ...runs].map((run) => [`${run.seed} ${run.seconds}`, run]),
  );
  return {
    commands: [...new Set([...old?.commands ?? [], command])],
    machine,
    runs: [...all.values()].sort((a, b) => a.seed - b.seed || a.seconds - b.seconds),
  };
}

/** `text` with `table` between its two marks; throws when they are missing. */
export function withTable(text: string, table: string): string {
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END);
  if (from < 0 || to < from) throw new Error("The document has no place for the results");
  return `${text.slice(0, from + BEGIN.length)}\n\n${table}\n\n${text.slice(to)}`;
}

/** All figures as Markdown. */
export function tableOf({ commands, machine, runs }: Report): string {
  const { cpu, cores, memoryGiB, kernel, deno, date } = machine;
  const failed = runs.filter(({ violations }) => violations > 0);
  const times = runs.flatMap(({ convergeMs }) => convergeMs ?? []).sort((a, b) => a - b);
  const sum = (of: (run: RunSummary) => number) => runs.reduce((total, run) => total + of(run), 0);
  const rows: [string, string][] = [
    ["command", commands.map((command) => `\`${command}\``).join(", ")],
    ["machine", `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${kernel}, Deno ${deno}, ${date}`],
    ["runs", `${runs.length}, of which ${failed.length} with violations`],
    ["seeds", seedsOf(runs)],
    ["seconds under faults", number(sum(({ seconds }) => seconds))],
    ["acknowledged writes", waysOf(runs)],
    ["entries given to readers", number(sum(({ deliveries }) => deliveries))],
    ["faults", number(sum(({ faults }) => total(Object.values(faults))))],
    [
      "everybody had everything after healing",
      `median ${at(times, 0.5)}, p99 ${at(times, 0.99)}, most ${at(times, 1)}`,
    ],
    ...(failed.length === 0
      ? []
      : [["failed seeds", failed.map(({ seed }) => seed).join(", ")] as [string, string]]),
  ];
  return [markdown(["", ""], rows), markdown(["fault", "times"], faultRows(runs))].join("\n\n");
}

function faultRows(runs: readonly RunSummary[]): [string, string][] {
  const counts = new Map<string, number>();
  for (const { faults } of runs) {
    for (const [name, count] of Object.entries(faults)) {
      counts.set(name, (counts.get(name) ?? 0) + count);
    }
  }
  return [...counts].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, count]) => [`\`${name}\``, number(count)]);
}

function waysOf(runs: readonly RunSummary[]): string {
  const ways = (["ws", "rest", "mqtt"] as const).map((via) =>
    [via, total(runs.map(({ writes }) => writes[via]))] as const
  );
  const all = total(ways.map(([, count]) => count));
  return `${number(all)} (${ways.map(([via, count]) => `${via} ${number(count)}`).join(", ")})`;
}

/** Runs of consecutive seeds are shown by their ends. */
function seedsOf(runs: readonly RunSummary[]): string {
  const parts: [number, number][] = [];
  for (const { seed } of runs) {
    const last = parts.at(-1);
    if (last !== undefined && seed <= last[1] + 1) last[1] = seed;
    else parts.push([seed, seed]);
  }
  return parts.map(([from, to]) => from === to ? `${from}` : `${from} to ${to}`).join(", ");
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The value below which this part of the sorted times lies. */
function at(times: readonly number[], part: number): string {
  const i = Math.max(0, Math.ceil(times.length * part) - 1);
  return times.length === 0 ? "unknown" : `${number(times[i]!)} ms`;
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}

/** A table that `deno fmt` leaves as it is. */
function markdown(head: [string, string], rows: readonly [string, string][]): string {
  const widths = [0, 1].map((i) => Math.max(3, ...[head, ...rows].map((row) => row[i]!.length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}
