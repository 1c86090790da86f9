import type { Point } from "./series.ts";

const SVG = "http://www.w3.org/2000/svg";
const BOX = { width: 120, height: 28 };
/** Room for the stroke at the top and at the bottom. */
const MARGIN = 1;

/** A small line of readings, without axes; what it shows is said in `label`. */
export class Sparkline {
  readonly element: SVGElement;
  #path: SVGElement;

  constructor(label: string) {
    this.element = svg("svg", {
      viewBox: `0 0 ${BOX.width} ${BOX.height}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": label,
      "data-testid": "sparkline",
      class: "sparkline",
    });
    this.#path = svg("path", { "vector-effect": "non-scaling-stroke" });
    this.element.append(this.#path);
  }

  /** Draws these points, in order of time. */
  show(points: readonly Point[]): void {
    this.#path.setAttribute("d", outline(points, BOX));
    this.element.dataset.points = String(points.length);
  }
}

/** The path of a line through `points`, scaled to fill the box. */
export function outline(
  points: readonly Point[],
  { width, height }: { width: number; height: number },
): string {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || last.at === first.at) return "";
  const values = points.map(({ value }) => value);
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  const x = (at: number) => round((at - first.at) / (last.at - first.at) * width);
  const inner = height - 2 * MARGIN;
  const y = (value: number) =>
    high === low ? round(height / 2) : round(MARGIN + (high - value) / (high - low) * inner);
  return points.map(({ at, value }, i) => `${i === 0 ? "M" : "L"}${x(at)} ${y(value)}`).join("");
}

const round = (number: number) => Math.round(number * 10) / 10;

function svg(tag: string, attributes: Record<string, string>): SVGElement {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
