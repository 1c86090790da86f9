/** Outlines on a grid of 24 by 24, drawn for this page. */
const OUTLINES = {
  back: "M15 5l-7 7 7 7",
  browse: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4.5 4.5",
  check: "M5 12.5l4.5 4.5L19 7",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4.5l3 2",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h10v11H9zM5 15V4h10",
  device:
    "M7 7h10v10H7zM10.5 10.5h3v3h-3zM9.5 3.5V7M14.5 3.5V7M9.5 17v3.5M14.5 17v3.5M3.5 9.5H7M3.5 14.5H7M17 9.5h3.5M17 14.5h3.5",
  down: "M12 5v14M6 13l6 6 6-6",
  edit: "M5 19l1-4L16 5l3 3L9 18l-4 1z",
  leave: "M14 5H6v14h8M11 12h9M17 8.5l3.5 3.5-3.5 3.5",
  lock: "M6.5 11h11v9h-11zM9 11V8a3 3 0 0 1 6 0v3",
  members:
    "M9 5.5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM3.5 19c.4-3 2.5-5 5.5-5s5.1 2 5.5 5M15.5 6a2.7 2.7 0 0 1 0 5.2M16.5 14.3c2.2.5 3.6 2.2 4 4.7",
  message: "M4 5h16v11H11l-5 4v-4H4z",
  plus: "M12 5v14M5 12h14",
  person: "M12 4.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM5 20c.5-3.7 3.2-6 7-6s6.5 2.3 7 6",
  remove: "M5 7h14M9 7V4.5h6V7M7 7l1 12.5h8L17 7M10.5 10.5v5.5M13.5 10.5v5.5",
  room: "M9 4L7 20M17 4l-2 16M4.5 9h16M3.5 15h16",
  send: "M4 12L20 4.5 15 20l-3.5-6.5zM11.5 13.5L20 4.5",
  warning: "M12 4l9 16H3zM12 10v4.5M12 17v.5",
} as const;

/** The name of an icon. */
export type IconName = keyof typeof OUTLINES;

const SVG = "http://www.w3.org/2000/svg";

/** An icon in the colour of the text around it; what it means is said elsewhere. */
export function icon(name: IconName): SVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", OUTLINES[name]);
  svg.append(path);
  return svg;
}
