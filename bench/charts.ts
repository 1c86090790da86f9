import { type BarChart, barChartSvg, type BarGroup } from "./chart_svg.ts";
import { type Figure, type Section, SYSTEMS } from "./figures.ts";

/** A chart of one section, as a file. */
export interface Chart {
  section: string;
  file: string;
  title: string;
  svg: string;
}

/** Which figures a chart shows: `label` and `series` say where one goes; undefined: nowhere. */
interface Plan extends Pick<BarChart, "title" | "scale" | "unit" | "order"> {
  section: string;
  file: string;
  place(figure: Figure): { label: string; series: string } | undefined;
}

function compared(end: string, { what, who = "Confab" }: Figure) {
  if (!what.endsWith(end)) return undefined;
  const label = what.slice(0, what.length - end.length);
  return { label, series: `${who} (${SYSTEMS[who]})` };
}

const ALL = Object.entries(SYSTEMS).map(([who, stored]) => `${who} (${stored})`);

const PLANS: Plan[] = [
  {
    section: "fan-out",
    file: "performance-fan-out.svg",
    title: "Fan-out in one room, closed loop",
    scale: "deliveries per second on one core; more is better",
    unit: "/s",
    order: ALL,
    place: (one) => compared(", closed loop: deliveries", one),
  },
  {
    section: "fan-out",
    file: "performance-fan-out-cpu.svg",
    title: "What one delivery costs the server",
    scale: "µs of CPU per delivery, storing included at Confab; less is better",
    unit: "µs",
    order: ALL,
    place: (one) => compared(", closed loop: server CPU per delivery", one),
  },
  {
    section: "fan-out",
    file: "performance-fan-out-p99.svg",
    title: "Send to delivery at a fixed rate, p99",
    scale: "milliseconds; less is better",
    unit: "ms",
    order: ALL,
    place: (one) => compared(": send → delivered p99", one),
  },
  {
    section: "durable",
    file: "performance-durable.svg",
    title: "Durable sends",
    scale: "acknowledged messages per second, each after its commit; more is better",
    unit: "/s",
    place({ what, unit }) {
      const found = /^(at the appender|over WebSocket), ([\d,]+) to (.*)$/.exec(what);
      if (found === null || unit !== "messages/s") return undefined;
      const [, how, many, where] = found;
      return { label: `${many} sender${many === "1" ? "" : "s"}`, series: `${how}, ${where}` };
    },
  },
  {
    section: "idle",
    file: "performance-idle.svg",
    title: "Memory of one idle socket",
    scale: "KiB of the server's RSS, everything it grew by included; less is better",
    unit: "KiB",
    order: ALL,
    place: (one) => compared(": RSS of each", one),
  },
];

/** The charts of what was measured. */
export function chartsOf(sections: Section[]): Chart[] {
  return PLANS.flatMap(({ section, file, place, ...plan }) => {
    const groups = new Map<string, BarGroup>();
    for (const one of sections.find(({ name }) => name === section)?.figures ?? []) {
      const at = place(one);
      if (at === undefined) continue;
      const { median: value, low, high, note, goal } = one;
      const group = groups.get(at.label) ?? { label: at.label, bars: [] };
      groups.set(at.label, group);
      group.bars.push({ series: at.series, value, low, high, note });
      if (goal !== undefined) group.goal = "atMost" in goal ? goal.atMost : goal.atLeast;
    }
    if (groups.size === 0) return [];
    const svg = barChartSvg({ ...plan, groups: [...groups.values()] });
    return [{ section, file, title: plan.title, svg }];
  });
}
