import type { MessageBody, ReadingValue, TelemetryRule } from "../lib/protocol.ts";
import type { DueRule } from "./telemetry_ports.ts";

/** What a rule about values remembers. */
export interface RuleState {
  /** The value passed the threshold and has not been back. */
  fired: boolean;
  /** The value that was told last; of `change` the first one that came, before. */
  value: number | null;
}

/** What a reading does to a rule: another state, and perhaps a message. */
export interface Verdict extends RuleState {
  tell: boolean;
}

/** True and false count as 1 and 0; texts as nothing. */
export function numberOf(value: ReadingValue): number | undefined {
  if (typeof value === "boolean") return Number(value);
  return typeof value === "number" ? value : undefined;
}

/** What a value does to a rule of the kind above, below or change; undefined: nothing. */
export function judge(
  { kind, threshold = 0, hysteresis = 0 }: TelemetryRule,
  { fired, value: last }: RuleState,
  value: number,
): Verdict | undefined {
  if (kind === "change") {
    if (last === null) return { fired, value, tell: false };
    return Math.abs(value - last) >= threshold ? { fired, value, tell: true } : undefined;
  }
  if (kind !== "above" && kind !== "below") return undefined;
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

/** What a rule says about a reading. */
export function readingMessage(
  { id, metric, kind, threshold = 0, unit }: TelemetryRule,
  value: ReadingValue,
  at: number,
): MessageBody {
  const shown = withUnit(value, unit);
  const text = kind === "change"
    ? `${metric} changed to ${shown}`
    : `${metric} is ${shown}, ${kind} ${withUnit(threshold, unit)}`;
  return { text, data: { rule: id, metric, value, at: new Date(at).toISOString() } };
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
