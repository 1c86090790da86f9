import type { Json, MessageBody } from "../../lib/client/mod.ts";
import { attachmentList, attachmentTitle } from "./attachment_list.ts";
import { element } from "./element.ts";

const LINK = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g;
const MAX_FACTS = 12;

/** Text, data and attachments of a message as nodes. */
export function messageBody({ text, data, attachments = [] }: MessageBody): HTMLElement[] {
  const parts: HTMLElement[] = [];
  if (text !== undefined) {
    parts.push(element("p", { class: "text", "data-testid": "message-text" }, ...linked(text)));
  }
  if (data !== undefined && !(text !== undefined && isAlarm(data))) parts.push(dataView(data));
  if (attachments.length > 0) parts.push(attachmentList(attachments));
  return parts;
}

/** A message in one line. */
export function messageLine({ text, data, attachments = [] }: MessageBody): string {
  if (text !== undefined) return text;
  return data === undefined ? attachments.map(attachmentTitle).join(", ") : JSON.stringify(data);
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
