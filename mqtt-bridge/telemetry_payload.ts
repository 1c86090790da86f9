import { deviceTelemetry } from "../lib/device_schemas.ts";
import { ConfabError } from "../lib/errors.ts";
import type { ReadingValue } from "../lib/protocol.ts";
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
  const parsed = deviceTelemetry.safeParse(parse(decodeText(payload)));
  if (!parsed.success) throw refusalOf(parsed.error);
  const { data } = parsed;
  const readings = isList(data)
    ? data.readings.map(({ metric, value, at }) => ({
      metric,
      value,
      at: timeOf(at, now),
      timed: at !== undefined,
    }))
    : Object.entries(data).map(([metric, value]) => ({
      metric,
      value,
      at: now,
      timed: false,
    }));
  for (const { metric, value } of readings) {
    if (typeof value === "number" && Math.abs(value) > TELEMETRY.largest) {
      throw new ConfabError("invalid_request", `${metric} is larger than ${TELEMETRY.largest}`);
    }
  }
  return readings;
}

type Published = ReturnType<typeof deviceTelemetry.parse>;
type PublishedList = Extract<Published, { readings: unknown[] }>;

/** A metric may be called `readings`, too: then its value is no list. */
function isList(data: Published): data is PublishedList {
  return Array.isArray(data.readings);
}

function timeOf(at: string | undefined, now: number): number {
  if (at === undefined) return now;
  const time = Date.parse(at);
  if (time > now + TELEMETRY.earlySeconds * 1000) {
    throw new ConfabError("invalid_request", "A reading may not be of the future");
  }
  if (!(time >= now - TELEMETRY.lateSeconds * 1000)) {
    throw new ConfabError("invalid_request", "A reading may be a day old at most");
  }
  return time;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ConfabError("invalid_json", undefined, { cause });
  }
}
