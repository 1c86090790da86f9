import type { Json, LogEntry } from "../../lib/client/mod.ts";
import { clockLabel, momentLabel } from "./day_label.ts";
import { element } from "./element.ts";
import { icon } from "./icon.ts";

/** An entry that is shown as a quiet line between messages. */
export type QuietEntry = LogEntry & {
  event: Extract<LogEntry["event"], { type: "device.state" | "device.alert" }>;
};

const MAX_CHARS = 160;

/** True for entries that have a line. */
export function isQuiet(entry: LogEntry): entry is QuietEntry {
  return entry.event.type === "device.state" || entry.event.type === "device.alert";
}

/** Something happened to a device: one quiet line, with its name as a way to its panel. */
export function entryLine(
  { seq, event }: QuietEntry,
  open: (device: string) => void,
): HTMLElement {
  const at = new Date(event.at);
  const alert = event.type === "device.alert" ? event.alert.kind : undefined;
  const { id, name } = event.device;
  const link = element("button", {
    type: "button",
    class: "device-link",
    onclick: () => open(id),
  }, name);
  const [before, after] = wordsOf(event);
  return element(
    "p",
    {
      class: alert === "silent" ? "entry-line entry-alert" : "entry-line",
      "data-testid": "entry-line",
      "data-seq": seq,
      "data-type": event.type,
      title: momentLabel(at),
    },
    icon(alert === "silent" ? "warning" : "device"),
    element("span", {}, before, link, after),
    element("time", { datetime: at.toISOString() }, clockLabel(at)),
  );
}

/** What stands before and behind the name of the device. */
export function wordsOf(event: QuietEntry["event"]): [string, string] {
  if (event.type === "device.state") {
    return [`${event.actor.name} set `, ` to ${stateWords(event.state.desired)}`];
  }
  if (event.alert.kind === "back") return ["", " is back"];
  const { expectedSeconds: seconds, lastSeen } = event.alert;
  const expected = seconds === undefined ? "" : `, expected every ${seconds} s`;
  const seen = lastSeen === undefined ? "never heard" : `last heard ${clock(lastSeen)}`;
  return ["", ` is silent: ${seen}${expected}`];
}

/** "speed 3, on true" for flat objects, cut to a line. */
export function stateWords(value: Json): string {
  const flat = typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.entries(value).map(([name, each]) =>
      `${name} ${typeof each === "string" ? each : JSON.stringify(each)}`
    ).join(", ")
    : JSON.stringify(value);
  if (flat === "") return "nothing in particular";
  return flat.length <= MAX_CHARS ? flat : `${flat.slice(0, MAX_CHARS - 2)} …`;
}

const clock = (at: string) => clockLabel(new Date(at));
