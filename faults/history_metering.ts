import type { PrincipalId, RoomId } from "../lib/protocol.ts";

/**
 * What devices measured and said of themselves in a run, and what was shown of that at its end.
 * Times are those of the run, see History.
 */
export interface MeteringRecord {
  meters: MeterRecord[];
  metrics: MetricRecord[];
  looks: MeterLook[];
  /** From then on nothing was broken any more, and every reader had everything. */
  wholeFrom?: number;
}

/** A device that measures. */
export interface MeterRecord {
  device: PrincipalId;
  rooms: RoomId[];
  /** Births that the broker has acknowledged. */
  births: { at: number; session: number }[];
  /** When the broker acknowledged a last will of an older session than that which was online. */
  lateWills: number[];
  /** When the broker acknowledged something that counts as hearing the device, in order. */
  heard: number[];
  /** How often it should be heard, and while that was so. */
  expectation?: { seconds: number; from: number; to?: number };
  /** When it went without a word, and came back. */
  sleeps: { from: number; to?: number }[];
  /** Alerts that were waited for, as long as they may take. */
  awaited: { silent: number; back: number };
}

/** A reading as it was published. */
export interface ReadingRecord {
  /** The device's own time of it: milliseconds since 1970, no two alike in one metric. */
  at: number;
  value: number;
  /** When it was written to a connection, once only, and acknowledged by the broker. */
  sentAt: number;
  ackedAt?: number;
}

/** What becomes a message of a metric. */
export type MetricRule =
  | { id: string; kind: "above"; threshold: number; hysteresis: number }
  | { id: string; kind: "digest"; seconds: number };

/** One metric of a device in a room. */
export interface MetricRecord {
  device: PrincipalId;
  room: RoomId;
  metric: string;
  rule?: MetricRule;
  /** In the order in which they were published. */
  readings: ReadingRecord[];
  /** What a node says of it at the end. */
  final?: {
    latest?: { value: number; at: number; count: number };
    points: { at: number; count: number; min: number; max: number; last: number }[];
  };
}

/** What a node said of whether a device is there, after everything was healed. */
export interface MeterLook {
  at: number;
  through: string;
  /** Absent: by the status of the device, otherwise by who is online in the room. */
  room?: RoomId;
  device: PrincipalId;
  state: "known" | "unknown" | "off";
  online: boolean;
  /** Whether the device had a connection, and its birth was acknowledged. */
  expected: boolean;
}
