import type { Json, Message } from "../../lib/client/mod.ts";
import { element } from "./element.ts";

const LINK = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g;
const MAX_FACTS = 12;

/** Text and data of a message as nodes. */
export function messageBody({ text, data }: Pick<Message, "text" | "data">): HTMLElement[] {
  const parts: HTMLElement[] = [];
  if (text !== undefined) {
    parts.push(element("p", { class: "text", "data-testid": "message-text" }, ...linked(text)));
  }
  if (data !== undefined && !(text !== undefined && isAlarm(data))) parts.push(dataView(data));
  return parts;
}

/** What a rule says of a reading is in its text already. */
function isAlarm(data: Json): boolean {
  return typeof data === "object" && data !== null && !Array.isArray(data) &&
    typeof data.rule === "string" && typeof data.metric === "string";
}

function linked(text: string): (Node | string)[] {
  const parts: (Node | string)[] = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    parts.push(text.slice(from, match.index));
    const href = match[0];
    parts.push(element("a", { href, target: "_blank", rel: "noopener noreferrer" }, href));
    from = match.index + href.length;
  }
  parts.push(text.slice(from));
  return parts;
}

/** A flat object reads best as names and values; anything else as JSON. */
function dataView(data: Json): HTMLElement {
  const attributes = { class: "data", "data-testid": "message-data" };
  const facts = flatFacts(data);
  if (facts === undefined) {
    return element("pre", { ...attributes, tabindex: 0 }, element("code", {}, pretty(data)));
  }
  return element(
    "dl",
    attributes,
    ...facts.map(([name, value]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value))
    ),
  );
}

function flatFacts(data: Json): [string, string][] | undefined {
  if (data === null || typeof data !== "object" || Array.isArray(data)) return undefined;
  const entries = Object.entries(data);
  const flat = entries.every(([, value]) => value === null || typeof value !== "object");
  if (!flat || entries.length === 0 || entries.length > MAX_FACTS) return undefined;
  return entries.map(([name, value]) => [name, String(value)]);
}

function pretty(data: Json): string {
  const short = JSON.stringify(data);
  return short.length <= 72 ? short : JSON.stringify(data, null, 2);
}
