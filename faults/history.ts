import type { DeviceState, LogEntry, Message, Metadata } from "../lib/protocol.ts";
import type { PrincipalId, RoomId } from "../lib/protocol.ts";
import type { DeviceRecords, FinalCommand } from "./history_devices.ts";
import type { MeteringRecord } from "./history_metering.ts";

/**
 * What a run of the fault suite saw from outside: everything that clients asked, were answered and
 * were given, on one clock. The checker judges it against the log as it stands at the end. All
 * times are milliseconds since the start of the run, by the clock of the process that runs it.
 */
export interface History {
  readonly seed: number;
  readonly principals: readonly ActorRecord[];
  readonly rooms: readonly RoomRecord[];
  readonly writes: readonly WriteRecord[];
  readonly deliveries: readonly ConnectionRecord[];
  readonly accessEnds: readonly AccessEndRecord[];
  readonly faults: readonly FaultRecord[];
  readonly exits: readonly ExitRecord[];
  readonly presence: readonly PresenceRecord[];
  readonly metering: MeteringRecord;
  readonly devices: DeviceRecords;
  readonly convergence: ConvergenceRecord | undefined;
  /** The state at the end, read through a healed node. */
  readonly final: readonly FinalRoom[];
}

/** Somebody who takes part: a person or a device. */
export interface ActorRecord {
  id: PrincipalId;
  name: string;
  kind: "user" | "device";
  /** Strangers are members of nothing: whatever they are given is a violation. */
  stranger: boolean;
}

/** A room of the run. All are private. */
export interface RoomRecord {
  id: RoomId;
  name: string;
}

/** The way by which a client spoke or listened. */
export type Via = "ws" | "sse" | "rest" | "mqtt";

/** What a write asked for. */
export type WriteKind =
  | { type: "send"; clientId: string; text: string }
  | { type: "edit"; target: number; clientId: string; text: string }
  | { type: "delete"; target: number; clientId: string }
  | {
    type: "command";
    clientId: string;
    device: PrincipalId;
    name: string;
    args: Metadata;
    timeoutSeconds: number;
  }
  | { type: "cancel"; command: string }
  /** A device's answer; each repetition says something else, which begins with `says`. */
  | { type: "answer"; clientId: string; command: string; ok: boolean; says: string }
  | {
    type: "desire";
    clientId: string;
    device: PrincipalId;
    /** It changes a part. */
    merge: boolean;
    desired: Metadata;
    /** The version that was seen. */
    version?: number;
  }
  | { type: "add"; principal: PrincipalId; role: string }
  | { type: "remove"; principal: PrincipalId };

/**
 * One wish to change a room, with all its repetitions: a repetition carries the same client id, so
 * it is the same wish, whatever connection, node or protocol it went through.
 */
export interface WriteRecord {
  actor: PrincipalId;
  room: RoomId;
  via: Via;
  what: WriteKind;
  /** When it was first sent. */
  startedAt: number;
  /** How often it was sent. */
  tries: number;
  /** The proofs that came: HTTP 201/200, `ok`, MQTT receipts. All must agree. */
  acks: Acknowledgement[];
  /** Coded refusals that ended it, such as `not_a_member`; retryable ones are not recorded here. */
  refusal?: { at: number; code: string };
}

/** Its `seq` is 0 where the answer does not name that of the entry. */
export interface Acknowledgement {
  at: number;
  seq: number;
  duplicate: boolean;
  /** The command that was made. */
  command?: string;
}

/**
 * What one reader was given of one room over one connection (a socket's join, a stream, a run of
 * REST pages, a device's session).
 */
export interface ConnectionRecord {
  reader: PrincipalId;
  /** Names the reading client: its connections share a cursor and follow each other. */
  client: string;
  room: RoomId;
  via: Via;
  /** The node or broker it went through. */
  through: string;
  openedAt: number;
  closedAt?: number;
  /** The cursor that the client gave; undefined: it asked for what comes from now on. */
  after?: number;
  /** The head that the join's answer named. */
  head?: number;
  /** What the join's answer said about the cursor; REST and MQTT leave it out. */
  recovered?: boolean;
  /** In the order of arrival. `tombstone` and `text` show the content that was given. */
  entries: DeliveryRecord[];
  /** The client was told that nothing more will come, and why. */
  evicted?: { at: number; code: string };
  /** The client read a fresh page because its cursor could not be recovered: its state and head. */
  reloaded?: { at: number; head: number };
}

/** One entry as it was given to a reader. */
export interface DeliveryRecord {
  at: number;
  entry: LogEntry;
  /** False for entries that the client read itself (REST page, MQTT history request). */
  live: boolean;
}

/** Access that ended in a way that is not an entry of the log. */
export interface AccessEndRecord {
  principal: PrincipalId;
  how: "logout" | "revoked" | "expired" | "disabled";
  /** When the answer came that it had ended. */
  at: number;
  /** The connections it concerns, by their client name. */
  clients: string[];
}

/** What a fault did. `from` and `to` say when it was in force; a moment has both the same. */
export interface FaultRecord {
  class: string;
  target: string;
  from: number;
  to: number;
  /** What shows that it really happened, such as "exit by SIGKILL", "3 links cut", "12 backends". */
  evidence: string;
}

/** How a process of the run ended. */
export interface ExitRecord {
  name: string;
  pid: number;
  at: number;
  code: number;
  signal: string | null;
  /** It had not answered yet: one that misses what it needs at its start ends, and is started again. */
  starting?: true;
  /** The signal that the suite sent before, if any, and when. */
  told?: { signal: string; at: number };
  /** The end of what it wrote to stderr. */
  stderr: string;
}

/** What a node said about who is online, after everything was healed. */
export interface PresenceRecord {
  at: number;
  through: string;
  room: RoomId;
  state: "known" | "unknown" | "off";
  online: PrincipalId[];
  /** Who had a live connection at that time, as far as clients know. */
  expected: PrincipalId[];
}

/** How long after the last fault was healed everybody had everything. */
export interface ConvergenceRecord {
  healedAt: number;
  /** The last acknowledgement of a write, or the last entry, if that came later. */
  lastAckAt: number;
  /** When each reading client had the head of its room: `client`, `room`, time; undefined: never. */
  reached: { client: string; room: RoomId; at?: number }[];
}

/** A room at the end: its whole log, and what a fresh reader is shown. */
export interface FinalRoom {
  room: RoomId;
  epoch: string;
  head: number;
  log: LogEntry[];
  /** All messages, by their pages. */
  messages: Message[];
  members: { id: PrincipalId; role: string }[];
  commands: FinalCommand[];
  states: DeviceState[];
  /** Rows as the database holds them: every client id with its sender and seq. */
  stored: { sender: PrincipalId; clientId: string; seq: number }[];
}
