import type { MetricRecord, ReadingRecord } from "../history_metering.ts";
import type { Check, Violation } from "../violation.ts";
import { Disturbances } from "./disturbances.ts";

const BUCKET_MS = 10_000;

type Bounded = ReadingRecord & { least: number; most: number };
type Final = NonNullable<MetricRecord["final"]>;

/**
 * Readings are kept: each that the broker took while nothing was disturbed counts once, none counts
 * that was not published, and the latest is the newest by its own time. Where the bridge, its broker
 * or its database were disturbed, the last seconds may be missing, or count again.
 */
export const telemetry: Check = (history) => {
  const disturbances = new Disturbances(history);
  return history.metering.metrics.flatMap((metric) => {
    const readings = metric.readings.map((one) => ({ ...one, ...disturbances.bounds(one) }));
    return [...complaints(metric, readings)].map((message) => violationOf(metric, message));
  });
};

function* complaints({ final }: MetricRecord, readings: Bounded[]): Iterable<string> {
  const sure = readings.filter(({ least }) => least > 0);
  if (final?.latest === undefined) {
    if (sure.length > 0) yield `Of ${sure.length} readings none is stored`;
    return;
  }
  yield* wrongLatest(final.latest, readings, sure);
  const sum = final.points.reduce((total, { count }) => total + count, 0);
  if (sum !== final.latest.count) {
    yield `The series has ${sum} readings, and ${final.latest.count} were counted`;
  }
  yield* wrongPoints(final, readings);
}

function* wrongLatest(
  { at, value }: NonNullable<Final["latest"]>,
  readings: Bounded[],
  sure: Bounded[],
): Iterable<string> {
  const given = readings.find((one) => one.at === at);
  const newest = Math.max(...sure.map((one) => one.at));
  if (given === undefined) yield "The latest reading was never published";
  else if (given.value !== value) yield `The latest reading was ${given.value}, not ${value}`;
  else if (at < newest) yield `The latest reading is ${newest - at} ms older than the last one`;
}

function* wrongPoints({ points }: Final, readings: Bounded[]): Iterable<string> {
  const buckets = Map.groupBy(readings, ({ at }) => Math.floor(at / BUCKET_MS) * BUCKET_MS);
  for (const [start, own] of buckets) {
    const least = own.reduce((sum, one) => sum + one.least, 0);
    const most = own.reduce((sum, one) => sum + one.most, 0);
    const point = points.find(({ at }) => at === start);
    const count = point?.count ?? 0;
    const told = least === most ? `${least}` : `${least} to ${most}`;
    if (count < least || count > most) yield `${told} readings count as ${count}`;
    if (point === undefined) continue;
    const values = new Set(own.map(({ value }) => value));
    if (![point.min, point.max, point.last].every((value) => values.has(value))) {
      yield "The series has a value that was never published";
    }
  }
  const strange = points.filter(({ at }) => !buckets.has(at));
  if (strange.length > 0) yield `${strange.length} points have readings that nobody published`;
}

function violationOf({ device, room, metric, final, readings }: MetricRecord, message: string) {
  const evidence = { device, room, metric, final, readings: readings.slice(-200) };
  return { check: "telemetry", message: `${metric}: ${message}`, evidence } satisfies Violation;
}
