import { type Figure, type Goal, reached } from "./figures.ts";

/** Figures as lines of a table: aligned for a terminal, and Markdown at the same time. */
export function tableOf(figures: Figure[]): string {
  const rows = [
    ["figure", "median", "spread", "runs", "goal", ""],
    ...figures.map((figure) => [
      figure.what,
      `${short(figure.median)} ${figure.unit}`.trim(),
      `${short(figure.low)} – ${short(figure.high)}`,
      `${figure.runs}`,
      figure.goal === undefined ? "" : goalText(figure.goal),
      { true: "reached", false: "missed", undefined: "" }[`${reached(figure)}`],
    ]),
  ];
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length), 3));
  const line = (cells: string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  const [head, ...body] = rows.map(line);
  return [head, rule, ...body].join("\n");
}

function goalText(goal: Goal): string {
  return "atMost" in goal ? `≤ ${short(goal.atMost)}` : `≥ ${short(goal.atLeast)}`;
}

/** Three significant digits, and thousands set apart. */
function short(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  return `${Number(value.toPrecision(3))}`;
}
