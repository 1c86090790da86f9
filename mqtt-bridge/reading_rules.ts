import { bodyHash } from "../lib/chat/body_hash.ts";
import type { MessageBody, ReadingValue, TelemetryRule } from "../lib/protocol.ts";
import { TELEMETRY } from "../lib/telemetry.ts";
import type { DueRule } from "./telemetry_ports.ts";

/** What a rule about values remembers. */
export interface RuleState {
  /** The value passed the threshold and has not been back. */
  fired: boolean;
  /** The value that was told last; of `change` the first one that came, before: see markOf(). */
  value: number | null;
}

/** What a reading does to a rule: another state, and perhaps a message. */
export interface Verdict extends RuleState {
  tell: boolean;
}

/** A text as a number beyond those that readings may have, 52 bits of its hash. */
function markOf(value: ReadingValue): number {
  if (typeof value !== "string") return Number(value);
  const hash = bodyHash({ text: value }).replaceAll("-", "").slice(0, 13);
  return TELEMETRY.largest * 10 * (1 + parseInt(hash, 16) / 2 ** 52);
}

/**
 * What a value does to a rule of the kind above, below or change; undefined: nothing. True and false
 * are 1 and 0 to thresholds, and texts nothing; any change of them is one.
 */
export function judge(
  { kind, threshold = 0, hysteresis = 0 }: TelemetryRule,
  { fired, value: last }: RuleState,
  reading: ReadingValue,
): Verdict | undefined {
  if (kind === "change") {
    const value = markOf(reading);
    if (last === null) return { fired, value, tell: false };
    const isNumber = typeof reading === "number" && Math.abs(last) <= TELEMETRY.largest;
    const changed = isNumber ? Math.abs(value - last) >= threshold : value !== last;
    return changed ? { fired, value, tell: true } : undefined;
  }
  if ((kind !== "above" && kind !== "below") || typeof reading === "string") return undefined;
  const value = Number(reading);
  const beyond = kind === "above" ? value - threshold : threshold - value;
  if (!fired && beyond > 0) return { fired: true, value, tell: true };
  if (fired && beyond <= -hysteresis) return { fired: false, value: last, tell: false };
  return undefined;
}

/** What the time does to a rule. */
export interface TimeVerdict {
  fired: boolean;
  seen: number;
  /** Seconds until it is to be looked at again. */
  dueIn: number;
  message: MessageBody | null;
}

/**
 * Looks at a rule whose time has come; `heardFor` are the seconds for which somebody has listened
 * to the devices: nobody was silent while nobody listened.
 */
export function judgeTime(due: DueRule, heardFor: number): TimeVerdict {
  const { rule, fired, seen } = due;
  const { seconds = 60 } = rule;
  if (rule.kind === "silence") {
    const silent = due.quiet ?? Infinity;
    // Told already, perhaps by the bridge before this one
    if (fired && silent >= seconds) return { fired, seen, dueIn: seconds, message: null };
    const quiet = Math.min(silent, heardFor);
    if (quiet < seconds) return { fired: false, seen, dueIn: seconds - quiet, message: null };
    return { fired: true, seen, dueIn: seconds, message: silenceMessage(due) };
  }
  const count = (due.latest?.count ?? 0) - seen;
  const message = count > 0 ? digestMessage(due, count) : null;
  return { fired, seen: seen + count, dueIn: due.nextIn, message };
}

/** What a rule says about a reading, and that it says nothing of `untold` others before. */
export function readingMessage(
  { id, metric, kind, threshold = 0, unit }: TelemetryRule,
  value: ReadingValue,
  at: number,
  untold = 0,
): MessageBody {
  const shown = withUnit(value, unit);
  const text = kind === "change"
    ? `${metric} changed to ${shown}`
    : `${metric} is ${shown}, ${kind} ${withUnit(threshold, unit)}`;
  const data = { rule: id, metric, value, at: new Date(at).toISOString() };
  if (untold === 0) return { text, data };
  const others = kind === "change" ? "change" : "crossing";
  return {
    text: `${text} (${untold} ${others}${untold === 1 ? "" : "s"} untold before)`,
    data: { ...data, untold },
  };
}

function silenceMessage({ rule: { id, metric, seconds = 0 }, latest }: DueRule): MessageBody {
  const data = { rule: id, metric, value: latest?.value ?? null, at: timeOf(latest) };
  return { text: `${metric}: no reading for ${duration(seconds)}`, data };
}

function digestMessage({ rule, latest }: DueRule, count: number): MessageBody {
  const { id, metric, unit } = rule;
  const { value = "" } = latest ?? {};
  const readings = count === 1 ? "1 reading" : `${count} readings`;
  return {
    text: `${metric}: ${readings}, last ${withUnit(value, unit)}`,
    data: { rule: id, metric, value, at: timeOf(latest), count },
  };
}

function timeOf(latest: DueRule["latest"]): string | null {
  return latest === null ? null : latest.at.toISOString();
}

function withUnit(value: ReadingValue, unit: string | undefined): string {
  const shown = typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value);
  return unit === undefined || typeof value !== "number" ? shown : `${shown} ${unit}`;
}

function duration(seconds: number): string {
  if (seconds % 3600 === 0) return `${seconds / 3600} h`;
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}
