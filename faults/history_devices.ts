import type { DeviceState, Metadata, PrincipalId, RoomId } from "../lib/protocol.ts";

/** What a run saw of commands and states of devices, beside what is in the logs. */
export interface DeviceRecords {
  /** What came on `commands`. */
  commands: CommandGivenRecord[];
  /** What came on `desired`. */
  desired: DesiredGivenRecord[];
  /** What devices said that they are, each once: it is said again at every connection. */
  reports: ReportRecord[];
  /** What people read over REST. */
  looks: StateLookRecord[];
  /** What held at the end. */
  settled: StateSettledRecord[];
}

/** A command as its device was given it. */
export interface CommandGivenRecord {
  device: PrincipalId;
  at: number;
  command: {
    commandId: string;
    room: RoomId;
    seq: number;
    name: string;
    args: Metadata;
    expiresAt: string;
  };
}

/** A desired state as its device was given it. */
export interface DesiredGivenRecord {
  device: PrincipalId;
  room: RoomId;
  at: number;
  /** Counts the connections of the device. */
  connection: number;
  /** It came with a subscription: so it is what the broker keeps. */
  retained: boolean;
  /** Undefined: the topic was emptied. */
  given?: DesiredPayload;
}

/** The payload of `desired`. */
export interface DesiredPayload {
  version: number;
  desired: Metadata;
  delta?: Metadata;
}

/** What a device said that it is. */
export interface ReportRecord {
  device: PrincipalId;
  room: RoomId;
  at: number;
  reported: Metadata;
}

/** A state as somebody read it. */
export interface StateLookRecord {
  room: RoomId;
  /** When it was asked for. */
  askedAt: number;
  at: number;
  state: DeviceState;
}

/** The state of a device at the end: in the database, at the broker, and by its own word. */
export interface StateSettledRecord {
  device: PrincipalId;
  room: RoomId;
  at: number;
  state: DeviceState;
  /** What the broker keeps; undefined: nothing. */
  kept?: DesiredPayload;
  /** What the device said last; undefined: nothing. */
  said?: Metadata;
}

/** A command as the list of its room shows it at the end. */
export interface FinalCommand {
  id: string;
  seq: number;
  device: { id: PrincipalId };
  sender: { id: PrincipalId };
  name: string;
  status: "queued" | "done" | "failed" | "expired" | "cancelled";
  expiresAt: string;
  answer?: number;
}
