import { type Figure, type Goal, missedBy, reached, type Section, SYSTEMS } from "./figures.ts";

/** A section as a heading with a table: aligned for a terminal, and Markdown at the same time. */
export function sectionTable({ title, figures }: Section): string {
  const systems = Object.keys(SYSTEMS).filter((who) =>
    figures.some((one) => systemOf(one) === who)
  );
  const compared = systems.length > 1;
  const names = [...new Set(figures.map(({ what }) => what))];
  const rows = names.map((what) => {
    const of = figures.filter((one) => one.what === what);
    const cells = systems.map((who) => cell(of.find((one) => systemOf(one) === who)));
    const ours = of.find((one) => systemOf(one) === "Confab");
    const [first = "", ...others] = cells;
    return [what, first, goalText(ours), verdict(ours), loadText(ours), ...others];
  });
  const [first = "Confab", ...others] = systems.map((who) =>
    compared ? `${who} (${SYSTEMS[who as keyof typeof SYSTEMS]})` : who
  );
  const table = [["figure", first, "goal", "", "load generator", ...others], ...rows];
  return `### ${title}\n\n${aligned(withoutEmpty(table))}`;
}

function systemOf({ who = "Confab" }: Figure): string {
  return who;
}

/** The median and the spread. */
function cell(one: Figure | undefined): string {
  if (one === undefined) return "";
  const { median, low, high, runs, unit, loadBound, note } = one;
  if (median === null) return note ?? "not measured";
  const spread = runs > 1 ? ` (${short(low!)} – ${short(high!)})` : "";
  const marks = [loadBound ? "load-bound" : "", note ?? ""].filter((mark) => mark !== "");
  const mark = marks.length === 0 ? "" : `, ${marks.join(", ")}`;
  return `${`${short(median)} ${unit}`.trim()}${spread}${mark}`;
}

function goalText(one: Figure | undefined): string {
  if (one?.goal === undefined) return "";
  const limit = (goal: Goal) =>
    "atMost" in goal ? `≤ ${short(goal.atMost)}` : `≥ ${short(goal.atLeast)}`;
  return limit(one.goal);
}

function verdict(one: Figure | undefined): string {
  if (one === undefined || reached(one) === undefined) return "";
  if (reached(one)) return "reached";
  const percent = missedBy(one);
  return Number.isFinite(percent) ? `**missed** by ${short(percent)} %` : "**missed**";
}

function loadText(one: Figure | undefined): string {
  return one?.loadBusy === undefined ? "" : `${one.loadBusy} %`;
}

/** Without the columns in which no row says anything. */
function withoutEmpty([head, ...rows]: string[][]): string[][] {
  const kept = head!.map((_, i) => i < 2 || rows.some((row) => row[i] !== ""));
  return [head!, ...rows].map((row) => row.filter((_, i) => kept[i]));
}

function aligned(rows: string[][]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length), 3));
  const line = (cells: string[]) =>
    `| ${cells.map((text, i) => text.padEnd(widths[i]!)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  const [head, ...body] = rows.map(line);
  return [head, rule, ...body].join("\n");
}

/** Three significant digits, and thousands set apart. */
export function short(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  return `${Number(value.toPrecision(3))}`;
}
