import { short } from "./table.ts";

/** One bar; `low` and `high` are the spread. */
export interface Bar {
  series: string;
  value: number | null;
  low: number | null;
  high: number | null;
  /** Shown instead of a value that is not there. */
  note?: string | undefined;
}

/** Bars under one label; `goal` is where Confab's should end, at least or at most. */
export interface BarGroup {
  label: string;
  bars: Bar[];
  goal?: number | undefined;
}

/** A chart with horizontal bars. */
export interface BarChart {
  title: string;
  /** Such as `deliveries/s, more is better`. */
  scale: string;
  unit: string;
  groups: BarGroup[];
  /** The series in the order of their colours, so that one looks the same in all charts. */
  order?: string[];
}

const WIDTH = 760;
const RIGHT = 150;
/** The widths of a letter, roughly, in labels and in the legend. */
const LETTER = 6.6;
const BAR = 16;
const BAR_GAP = 4;
const GROUP_GAP = 18;
const TOP = 68;
const LEGEND_LINE = 20;

/** The colours of the series, in light and in dark, in the order of their first bars. */
const COLOURS = [
  ["#1f6feb", "#58a6ff"],
  ["#8cb9f5", "#2f5c94"],
  ["#9a6700", "#d29922"],
  ["#8250df", "#a371f7"],
  ["#57606a", "#8b949e"],
] as const;

/** The chart as SVG that follows the reader's colour scheme, without fonts or scripts from outside. */
export function barChartSvg({ title, scale, unit, groups, order }: BarChart): string {
  const present = [...new Set(groups.flatMap(({ bars }) => bars.map((bar) => bar.series)))];
  const series = order ?? present;
  const left = 26 + LETTER * Math.max(...groups.map(({ label }) => label.length));
  const all = groups.flatMap(({ bars, goal = 0 }) => [goal, ...bars.map(({ high }) => high ?? 0)]);
  const most = Math.max(...all) || 1;
  const x = (value: number) => round(left + value * (WIDTH - left - RIGHT) / most);
  const parts: string[] = [];
  const { lines, parts: keys } = legend(present.length > 1 ? present : [], series);
  let y = TOP + lines * LEGEND_LINE + 2;
  for (const { label, bars, goal } of groups) {
    const height = bars.length * (BAR + BAR_GAP) - BAR_GAP;
    parts.push(text(left - 10, y + height / 2, label, 'class="label" text-anchor="end"'));
    bars.forEach((bar, i) => {
      parts.push(...barParts(bar, series.indexOf(bar.series), y + i * (BAR + BAR_GAP), x, unit));
    });
    if (goal !== undefined) {
      parts.push(line("goal", x(goal), y - 5, x(goal), y + height + 5));
    }
    y += height + GROUP_GAP;
  }
  const hasGoal = groups.some(({ goal }) => goal !== undefined);
  const height = y + (hasGoal ? 22 : 0);
  if (hasGoal) {
    parts.push(line("goal", left, y - 4, left, y + 12));
    parts.push(text(left + 8, y + 4, "goal", 'class="small"'));
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" ` +
    `aria-label="${escaped(`${title}: ${scale}`)}">`,
    `<title>${escaped(title)}</title>`,
    style(series.length),
    `<rect class="back" width="${WIDTH}" height="${height}" rx="6"/>`,
    text(16, 24, title, 'class="title"'),
    text(16, 44, scale, 'class="small"'),
    ...keys,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

function barParts(
  { value, low, high, note }: Bar,
  colour: number,
  y: number,
  x: (value: number) => number,
  unit: string,
): string[] {
  const middle = y + BAR / 2;
  if (value === null) return [text(x(0) + 6, middle, note ?? "not measured", 'class="small"')];
  const spread = low !== null && high !== null && high > low
    ? [line("spread", x(low), middle, x(high), middle)]
    : [];
  const end = Math.max(x(value), high === null ? 0 : x(high));
  return [
    `<rect class="s${colour}" x="${x(0)}" y="${y}" width="${
      round(x(value) - x(0))
    }" height="${BAR}"/>`,
    ...spread,
    text(end + 6, middle, `${short(value)} ${unit}`, 'class="value"'),
  ];
}

function legend(present: string[], series: string[]): { lines: number; parts: string[] } {
  let [x, lines] = [16, present.length === 0 ? 0 : 1];
  const parts = present.flatMap((name) => {
    const width = 32 + name.length * LETTER;
    if (x + width > WIDTH) [x, lines] = [16, lines + 1];
    const y = TOP - 8 + (lines - 1) * LEGEND_LINE;
    const at = x;
    x += width;
    return [
      `<rect class="s${series.indexOf(name)}" x="${round(at)}" y="${y}" width="10" height="10"/>`,
      text(at + 15, y + 5, name, 'class="small"'),
    ];
  });
  return { lines, parts };
}

function style(series: number): string {
  const colours = (of: 0 | 1) =>
    COLOURS.slice(0, series).map((pair, i) => `.s${i}{fill:${pair[of]}}`).join("");
  return `<style>
text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328;dominant-baseline:central}
.title{font-size:15px;font-weight:600}.small{fill:#59636e}.label{font-weight:500}
.back{fill:#fff}.goal{stroke:#1a7f37;stroke-width:2;stroke-dasharray:4 3}
.spread{stroke:#1f2328;stroke-width:1.5}
${colours(0)}
@media (prefers-color-scheme:dark){
text{fill:#f0f6fc}.small{fill:#9198a1}.back{fill:#0d1117}
.goal{stroke:#3fb950}.spread{stroke:#f0f6fc}
${colours(1)}
}
</style>`;
}

function line(name: string, x1: number, y1: number, x2: number, y2: number): string {
  const [a, b, c, d] = [x1, y1, x2, y2].map(round);
  return `<line class="${name}" x1="${a}" y1="${b}" x2="${c}" y2="${d}"/>`;
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
