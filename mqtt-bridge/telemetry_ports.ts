import type {
  MessageBody,
  PrincipalId,
  Reading,
  ReadingValue,
  RoomId,
  TelemetryRule,
} from "../lib/protocol.ts";

/** Numeric readings of ten seconds; times are milliseconds since 1970. */
export interface ReadingBucket {
  at: number;
  count: number;
  min: number;
  max: number;
  sum: number;
  last: number;
  lastAt: number;
}

/** What has come of one metric: the latest, how many, and what of it is numeric. */
export interface MetricReadings {
  metric: string;
  value: ReadingValue;
  /** Milliseconds since 1970. */
  at: number;
  count: number;
  buckets: ReadingBucket[];
}

/** What has come of one device in one room. */
export interface SourceReadings {
  room: RoomId;
  device: PrincipalId;
  /** Readings that were not taken. */
  dropped: number;
  metrics: MetricReadings[];
}

/** A rule as the database has it; `version` counts the changes of its state. */
export interface StoredRule {
  room: RoomId;
  device: PrincipalId;
  rule: TelemetryRule;
  /** Names this definition. */
  uid: string;
  version: number;
  fired: boolean;
  value: number | null;
  seen: number;
  /** The message of this version, unless it is known to be stored. */
  pending: MessageBody | null;
}

/** A rule whose time has come, or whose message is pending. */
export interface DueRule extends StoredRule {
  due: boolean;
  latest: { value: ReadingValue; at: Date; count: number } | null;
  /** Seconds since a reading came; null: none ever did. */
  quiet: number | null;
  /** Seconds until the next interval of a digest begins. */
  nextIn: number;
}

/** The state of a rule as it shall be, unless it is another than `version` by now. */
export interface RuleChange {
  uid: string;
  version: number;
  fired: boolean;
  value: number | null;
  seen: number;
  /** Seconds until a rule about time is looked at again; null: as it is. */
  dueIn: number | null;
  pending: MessageBody | null;
}

/** Which device stands in which room. */
export interface Pair {
  room: RoomId;
  device: PrincipalId;
}

/** A device in a room: its metrics, and its rules there. */
export interface Place extends Pair {
  metrics: string[];
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
   * of the sources that are not in their room, of which nothing is stored. Throws `internal` when
   * the database refuses the batch.
   */
  store(batch: { writer: string; number: number; sources: SourceReadings[] }): Promise<number[]>;
  /** Shows readings to those who look at the room now; may be lost. */
  show(room: RoomId, device: PrincipalId, readings: Reading[]): void;
  /** Up to `most` rules whose time has come, and up to `most` with pending messages. */
  dueRules(most: number): Promise<DueRule[]>;
  /** Answers with the uids of the rules that nobody had changed, and that have nothing pending. */
  saveRules(changes: RuleChange[]): Promise<string[]>;
  /** The messages of these versions are stored, or never will be. */
  settleRules(settled: { uid: string; version: number }[]): Promise<void>;
}
