import type {
  DueRule,
  RuleChange,
  SettledRule,
  SourceReadings,
  StoredRule,
} from "../lib/chat/telemetry_lane.ts";
import type { PrincipalId, Reading, RoomId } from "../lib/protocol.ts";

export type {
  DueRule,
  MetricReadings,
  ReadingBucket,
  RuleChange,
  SettledRule,
  SourceReadings,
  StoredRule,
} from "../lib/chat/telemetry_lane.ts";

/** Which device stands in which room. */
export interface Pair {
  room: RoomId;
  device: PrincipalId;
}

/** A device in a room for one stay, which the seq of its joining names. */
export interface Stay extends Pair {
  joinedSeq: number;
}

/** A device in a room: its metrics, and its rules there. */
export interface Place extends Stay {
  /** It may not write there, nor measure. */
  reader: boolean;
  metrics: string[];
  /** When the newest reading of each metric was taken, in milliseconds since 1970. */
  newest: Record<string, number>;
  rules: StoredRule[];
}

/**
 * What the bridge does with readings. Every call ends within its own deadline and may be repeated;
 * failures that may pass are ConfabError `unavailable`.
 */
export interface TelemetryLane {
  /** Those of these pairs where the device is in the room. */
  places(pairs: Pair[]): Promise<Place[]>;
  /**
   * Stores readings, a batch of a writer once however often it is sent; answers with the positions
   * of the sources that are not in their room for that stay, or only read there: of these nothing
   * is stored. Throws `internal` when the database refuses the batch.
   */
  store(batch: { writer: string; number: number; sources: SourceReadings[] }): Promise<number[]>;
  /** Shows readings to those who look at the room now; may be lost. */
  show(room: RoomId, device: PrincipalId, readings: Reading[]): void;
  /** Up to `most` rules whose time has come, and up to `most` with pending messages. */
  dueRules(most: number): Promise<DueRule[]>;
  /**
   * Answers with the uids of the rules that are stored: those that nobody had changed, that have
   * nothing pending, and whose devices may write in their rooms, for the same stay.
   */
  saveRules(changes: RuleChange[]): Promise<string[]>;
  /** The messages of these versions are stored, or never will be. */
  settleRules(settled: SettledRule[]): Promise<void>;
}
