import type { PrincipalId, Timestamp } from "./protocol.ts";

/** What a device measures, as every protocol carries it. */

/** Numbers have a series, the others only a latest value. */
export type ReadingValue = number | boolean | string;

/** One value of one metric. */
export interface Reading {
  metric: string;
  value: ReadingValue;
  at: Timestamp;
}

/** The newest readings of a device in a room, at most once a second. */
export interface TelemetrySignal {
  type: "telemetry";
  device: PrincipalId;
  /** At most one for each metric. */
  readings: Reading[];
}

/** The latest reading of a metric, and how many there have been. */
export interface LatestReading extends Reading {
  count: number;
}

/** What is known of a device's metrics. */
export interface DeviceTelemetry {
  device: PrincipalId;
  /** By name. */
  metrics: LatestReading[];
  /** Readings that were not stored: beyond the quota, or too many while the database was away. */
  dropped: number;
}

/** Readings of some time together. */
export interface TelemetryPoint {
  /** When it begins. */
  at: Timestamp;
  count: number;
  min: number;
  max: number;
  sum: number;
  last: number;
}

/** A stretch of a metric's series, oldest first; stretches without readings are left out. */
export interface TelemetrySeries {
  device: PrincipalId;
  metric: string;
  /** How long each point is. */
  seconds: number;
  points: TelemetryPoint[];
}

/** When readings become messages. */
export type RuleKind = "above" | "below" | "change" | "silence" | "digest";

/**
 * Makes messages of readings. `above` and `below` fire once when the value passes the threshold, and
 * again after it was back by the hysteresis; `change` when a number is `threshold` away from the one
 * told last, and at any change of a text or boolean; `silence` after `seconds` without a reading;
 * `digest` every `seconds` with readings.
 */
export interface TelemetryRule {
  /** Chosen by whoever makes the rule; one device has it once in a room. */
  id: string;
  metric: string;
  kind: RuleKind;
  threshold?: number;
  hysteresis?: number;
  seconds?: number;
  /** Shown behind values, such as `°C`. */
  unit?: string;
}

/** Bounds of telemetry. */
export const TELEMETRY = {
  /** Of one device in one room. */
  metrics: 64,
  rules: 20,
  /** In one answer. */
  points: 500,
  /** How long the points of each length are kept, in seconds. */
  kept: { 10: 3600, 60: 86_400, 3600: 30 * 86_400 },
  /** Readings may be so old when they come, in seconds. */
  lateSeconds: 86_400,
  /** A clock may be so far ahead, in seconds. */
  earlySeconds: 60,
  /** Larger numbers are refused: their sums would not fit. */
  largest: 1e100,
} as const;
