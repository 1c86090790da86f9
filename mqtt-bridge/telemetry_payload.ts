import type { z } from "zod";
import { presentTelemetry, timedTelemetry } from "../lib/device_schemas.ts";
import { ConfabError } from "../lib/errors.ts";
import { isObject } from "../lib/merge_patch.ts";
import type { Json, ReadingValue } from "../lib/protocol.ts";
import { TELEMETRY } from "../lib/telemetry.ts";
import { decodeText, refusalOf } from "./payload.ts";

/** A reading as it was published; `at` is in milliseconds since 1970. */
export interface PublishedReading {
  metric: string;
  value: ReadingValue;
  at: number;
  /** The device has said when; otherwise it is of the time when it came. */
  timed: boolean;
}

/**
 * Reads the payload of a `telemetry` publish that came at `now`.
 *
 * @throws {ConfabError} `invalid_utf8`, `payload_too_large`, `invalid_json`, `invalid_request`
 */
export function readReadings(payload: Uint8Array, now: number): PublishedReading[] {
  const said = parse(decodeText(payload));
  const readings = isList(said) ? timedReadings(said, now) : presentReadings(said, now);
  for (const { metric, value } of readings) {
    if (typeof value === "number" && Math.abs(value) > TELEMETRY.largest) {
      throw new ConfabError("invalid_request", `${metric} is larger than ${TELEMETRY.largest}`);
    }
  }
  return readings;
}

/** A metric may be called `readings`, too: then its value is no list. */
function isList(said: Json): boolean {
  return isObject(said) && Array.isArray(said.readings);
}

function timedReadings(said: Json, now: number): PublishedReading[] {
  return checked(timedTelemetry, said).readings.map(({ metric, value, at }, i) => ({
    metric,
    value,
    at: at === undefined ? now : timeOf(at, now, `readings.${i}.at`),
    timed: at !== undefined,
  }));
}

function presentReadings(said: Json, now: number): PublishedReading[] {
  return Object.entries(checked(presentTelemetry, said))
    .map(([metric, value]) => ({ metric, value, at: now, timed: false }));
}

function checked<T>(schema: z.ZodType<T>, said: Json): T {
  const parsed = schema.safeParse(said);
  if (!parsed.success) throw refusalOf(parsed.error);
  return parsed.data;
}

function timeOf(at: string, now: number, path: string): number {
  const time = Date.parse(at);
  if (time > now + TELEMETRY.earlySeconds * 1000) {
    throw new ConfabError("invalid_request", `${path} may not be of the future`);
  }
  if (!(time >= now - TELEMETRY.lateSeconds * 1000)) {
    throw new ConfabError("invalid_request", `${path} may be a day old at most`);
  }
  return time;
}

function parse(text: string): Json {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ConfabError("invalid_json", undefined, { cause });
  }
}
