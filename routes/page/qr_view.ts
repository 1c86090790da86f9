import { qrCode } from "./qr_code.ts";

const SVG = "http://www.w3.org/2000/svg";
/** White modules around it, as readers want them. */
const MARGIN = 4;

/** A QR code to be read from the screen: black on white in every theme; undefined when too long. */
export function qrView(text: string, label: string): SVGElement | undefined {
  const code = qrCode(text);
  if (code === undefined) return undefined;
  const whole = code.size + 2 * MARGIN;
  const image = svg("svg", {
    viewBox: `0 0 ${whole} ${whole}`,
    role: "img",
    "aria-label": label,
    "shape-rendering": "crispEdges",
    class: "qr",
    "data-testid": "device-qr",
  });
  const dark: string[] = [];
  for (let y = 0; y < code.size; y++) {
    for (let x = 0; x < code.size; x++) {
      if (code.at(x, y)) dark.push(`M${x + MARGIN} ${y + MARGIN}h1v1h-1z`);
    }
  }
  image.append(
    svg("rect", { width: `${whole}`, height: `${whole}`, fill: "#ffffff" }),
    svg("path", { d: dark.join(""), fill: "#000000" }),
  );
  return image;
}

function svg(tag: string, attributes: Record<string, string>): SVGElement {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
