import type { LogEntry, Message } from "../../lib/protocol.ts";
import type {
  MeteringRecord,
  MetricRecord,
  MetricRule,
  ReadingRecord,
} from "../history_metering.ts";
import type { Check, Violation } from "../violation.ts";
import { Disturbances } from "./disturbances.ts";

/** What a rule says beside its text. */
interface Told {
  rule: string;
  value: number;
  at: string;
  count?: number;
}

type Above = Extract<MetricRule, { kind: "above" }>;

/** A stretch of readings from a crossing up to the one that is back by the hysteresis. */
interface Phase {
  readings: ReadingRecord[];
  /** The last reading before it, and the first after it. */
  before: ReadingRecord | undefined;
  after: ReadingRecord | undefined;
}

/**
 * A rule makes one message of each crossing: of a reading that was published, never two of one
 * crossing, and of what happens in peace none is left out. Digests together count every reading.
 */
export const rules: Check = (history, rooms) => {
  const disturbances = new Disturbances(history);
  const { metering } = history;
  return metering.metrics.flatMap((metric) => {
    if (metric.rule === undefined) return [];
    const log = rooms.get(metric.room)?.final.log ?? [];
    const told = log.flatMap((entry) => toldBy(metric, entry) ?? []);
    const messages = metric.rule.kind === "above"
      ? wrongCrossings(metric, metric.rule, told, disturbances, metering.wholeFrom ?? Infinity)
      : wrongDigests(metric, told, metering.wholeFrom);
    return [...messages].map((message): Violation => ({
      check: "rules",
      message: `${metric.rule!.id}: ${message}`,
      evidence: { metric: { ...metric, readings: metric.readings.slice(-200) }, told },
    }));
  });
};

/** Whether an entry is a message that a rule of this run has made. */
export function isMadeByRule({ metrics }: MeteringRecord, entry: LogEntry): boolean {
  return metrics.some((metric) =>
    metric.room === entry.room && toldBy(metric, entry) !== undefined
  );
}

function toldBy({ device, rule }: MetricRecord, { event }: LogEntry): Told | undefined {
  if (event.type !== "message.created" || event.message.sender.id !== device) return undefined;
  const data = (event.message as Message).data as unknown as Told | undefined;
  return rule !== undefined && data?.rule === rule.id ? data : undefined;
}

function* wrongCrossings(
  metric: MetricRecord,
  rule: Above,
  told: readonly Told[],
  disturbances: Disturbances,
  wholeFrom: number,
): Iterable<string> {
  const counts = new Map<Phase, number>();
  const phases = phasesOf(metric.readings, rule);
  for (const { value, at } of told) {
    const phase = phases.find(({ readings }) =>
      readings.some((one) => one.at === Date.parse(at) && one.value === value)
    );
    if (phase === undefined) yield `Nobody published ${value} of ${at} above ${rule.threshold}`;
    else counts.set(phase, (counts.get(phase) ?? 0) + 1);
  }
  for (const phase of phases) {
    const count = counts.get(phase) ?? 0;
    const { readings, before, after } = phase;
    const [from, to] = [readings[0]!.sentAt, after?.sentAt ?? readings.at(-1)!.sentAt];
    const most = 1 + disturbances.repeats(from, to);
    if (count > most) yield `One crossing made ${count} messages`;
    const inPeace = before !== undefined && before.sentAt > wholeFrom &&
      readings.filter(({ ackedAt }) => ackedAt !== undefined).length >= 3;
    if (inPeace && count === 0) yield "A crossing made no message";
  }
}

function phasesOf(
  readings: readonly ReadingRecord[],
  { threshold, hysteresis }: Above,
): Phase[] {
  const phases: Phase[] = [];
  let open: Phase | undefined;
  for (const [i, reading] of readings.entries()) {
    if (open === undefined && reading.value > threshold) {
      open = { readings: [], before: readings[i - 1], after: undefined };
      phases.push(open);
    } else if (open !== undefined && reading.value <= threshold - hysteresis) {
      open.after = reading;
      open = undefined;
    }
    open?.readings.push(reading);
  }
  return phases;
}

/** A digest tells of what is stored, so whatever was lost or came twice makes no difference. */
function* wrongDigests(
  { final }: MetricRecord,
  told: readonly Told[],
  wholeFrom: number | undefined,
): Iterable<string> {
  const count = told.reduce((sum, one) => sum + (one.count ?? 0), 0);
  const stored = final?.latest?.count ?? 0;
  if (count > stored) yield `Digests tell of ${count} readings, and there are ${stored}`;
  if (count < stored && wholeFrom !== undefined) {
    yield `Digests tell of only ${count} of ${stored} readings`;
  }
}
