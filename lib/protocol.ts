/**
 * The wire contract in types and constants: what REST, WebSocket, SSE and MQTT carry.
 * Free of imports but for types, so that the SDK and the web client can share it.
 */
import type { Attachment } from "./attachments.ts";
import type { DesiredState, DeviceAlert, ReportedState } from "./device_states.ts";
import type { TelemetrySignal } from "./telemetry.ts";
export type * from "./attachments.ts";
export type * from "./device_states.ts";
export type * from "./telemetry.ts";

/** UUIDv7 in lower case. */
export type RoomId = string;
/** UUIDv7 in lower case; users, guests and devices share one space of ids. */
export type PrincipalId = string;
/** RFC 3339, UTC, milliseconds. */
export type Timestamp = string;
/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
/** A bounded JSON object with the application's own fields. */
export type Metadata = { [key: string]: Json };

/** Sizes in bytes of UTF-8 unless the name says otherwise. */
export const SIZES = {
  textBytes: 16 * 1024,
  dataBytes: 32 * 1024,
  metadataBytes: 4 * 1024,
  stateBytes: 8 * 1024,
  dataSchemaBytes: 8 * 1024,
  frameBytes: 64 * 1024,
  bodyBytes: 64 * 1024,
  clientIdChars: 64,
  nameChars: 80,
  topicChars: 500,
  /** All of a message together, as JSON. */
  attachmentsBytes: 8 * 1024,
  /** Of one message. */
  attachments: 10,
  urlChars: 2048,
} as const;

/** Name of the WebSocket subprotocol. */
export const SUBPROTOCOL = "confab.v1";

/** Kinds of members. */
export type PrincipalKind = "user" | "guest" | "device";
/** Roles in the whole installation. */
export type GlobalRole = "admin" | "user" | "guest" | "device";
/** Roles in one room, most powerful first. */
export type RoomRole = "owner" | "admin" | "member" | "reader";

/** A person or device as others see it. */
export interface PublicPrincipal {
  id: PrincipalId;
  kind: PrincipalKind;
  name: string;
}

/** A message; `(room, seq)` is its identity. A deleted one keeps its seq and loses its content. */
export interface Message {
  room: RoomId;
  seq: number;
  sender: PublicPrincipal;
  at: Timestamp;
  /** Only in what the sender receives. */
  clientId?: string;
  text?: string;
  data?: Json;
  metadata?: Metadata;
  replyTo?: number;
  attachments: Attachment[];
  editedAt?: Timestamp;
  deletedAt?: Timestamp;
  /** The seq of the entry that last changed this message; its own seq at first. */
  updatedSeq: number;
  /** What this message asks a device to do. */
  command?: MessageCommand;
}

/** What became of a command; everything but `queued` is final. */
export type CommandStatus = "queued" | "done" | "failed" | "expired" | "cancelled";

/** What a message asks a device to do, and what became of it. */
export interface MessageCommand {
  /** UUIDv7. */
  id: string;
  device: PrincipalId;
  name: string;
  args: Metadata;
  status: CommandStatus;
  /** Until then the device may answer. */
  expiresAt: Timestamp;
  /** The seq of the message with which the device answered. */
  answer?: number;
}

/** A membership as others see it. */
export interface Member {
  principal: PublicPrincipal;
  role: RoomRole;
  joinedSeq: number;
}

/** The settings of a room, as carried by `room.updated`. */
export interface RoomSettings {
  name: string;
  topic: string;
  visibility: "public" | "private";
  metadata: Metadata;
}

/** A room; `members` of a direct room are the two people. */
export interface Room extends RoomSettings {
  id: RoomId;
  kind: "group" | "direct";
  head: number;
  floor: number;
  createdAt: Timestamp;
}

/** A room in one's own list. */
export interface JoinedRoom extends Room {
  role: RoomRole;
  /** Read cursor: everything up to this seq has been seen. */
  read: number;
  unread: number;
  /** The other person of a direct room. */
  peer?: PublicPrincipal;
}

interface EventBase {
  actor: PublicPrincipal;
  at: Timestamp;
}

/**
 * What a log entry says happened. A change carries the resulting value, never a difference;
 * a client ignores one whose seq is not above the message's `updatedSeq`.
 */
export type LogEvent =
  & EventBase
  & (
    | { type: "message.created"; message: Message }
    | {
      type: "message.edited" | "message.deleted" | "command.updated";
      target: number;
      message: Message;
    }
    | { type: "member.joined" | "member.role"; member: Member }
    | { type: "member.left" | "member.removed"; principal: PublicPrincipal }
    | { type: "room.updated"; settings: RoomSettings }
    | { type: "device.state"; device: PublicPrincipal; state: DesiredState }
    | { type: "device.alert"; device: PublicPrincipal; alert: DeviceAlert }
  );

/** One entry of a room's log. Clients skip types they do not know, and still advance the cursor. */
export interface LogEntry {
  room: RoomId;
  epoch: string;
  seq: number;
  event: LogEvent;
}

/** Whether somebody is connected, from wherever; a device, whether it says so. */
export interface MemberPresence {
  principal: PrincipalId;
  state: "online" | "offline";
  /** Devices only: it keeps coming and going, and not each time is told. */
  unstable?: true;
  /** Devices only: when it was last heard, as known when this was told, up to 15 seconds late. */
  lastSeen?: Timestamp;
}

/**
 * What is known of who is online in a room: `unknown` while the nodes cannot tell each other, `off`
 * in rooms with more members, people and devices, than the limit `presenceMembers`.
 */
export type PresenceState = "known" | "unknown" | "off";

/** Who in a room is online; `items` has everybody when the state is `known`. */
export interface RoomPresence {
  state: PresenceState;
  items: MemberPresence[];
}

/**
 * A short-lived fact about a room: never stored, never replayed, may be lost. Presence that is not
 * `known` voids what was told before; the first that is `known` after it has everybody.
 */
export type Signal =
  | { type: "typing"; principal: PublicPrincipal }
  | { type: "receipt"; principal: PublicPrincipal; read: number }
  | { type: "presence"; state: PresenceState; changes: MemberPresence[] }
  | ({ type: "state" } & ReportedState)
  | TelemetrySignal
  /** States or readings of devices were left out, because the reader was behind: read them again. */
  | { type: "missed" };

/** The limits of a connection, told in `ready`. */
export interface Limits {
  sendsPerSecond: number;
  sendBurst: number;
  joinedRooms: number;
  socketsPerPrincipal: number;
  socketsPerAddress: number;
  frameBytes: number;
  textBytes: number;
  dataBytes: number;
  replayEntries: number;
  /** Members of the largest rooms that have presence. */
  presenceMembers: number;
}

/** What a client may put into a message. */
export interface MessageBody {
  text?: string;
  data?: Json;
  metadata?: Metadata;
  replyTo?: number;
  attachments?: Attachment[];
}

/** Frames from the client. Those with an `id` get exactly one `ok` or `error` with that id. */
export type ClientFrame =
  | { type: "auth"; id: string; token: string }
  | { type: "join"; id: string; room: RoomId; epoch?: string; after?: number }
  | { type: "leave"; id: string; room: RoomId }
  | ({ type: "send"; id: string; room: RoomId; clientId: string } & MessageBody)
  | {
    type: "edit";
    id: string;
    room: RoomId;
    seq: number;
    clientId?: string;
    text?: string;
    data?: Json;
    metadata?: Metadata;
  }
  | { type: "delete"; id: string; room: RoomId; seq: number; clientId?: string }
  | { type: "typing"; room: RoomId }
  | { type: "read"; id?: string; room: RoomId; seq: number }
  | { type: "ping" };

/** The `ok` of a `join`. */
export interface JoinOk {
  room: RoomId;
  epoch: string;
  head: number;
  read: number;
  unread: number;
  role: RoomRole | null;
  /** Only when the join had a cursor; false: reload the room, live begins after `head`. */
  recovered?: boolean;
}

/** The `ok` of a `send`, and the body of an MQTT receipt (with `clientId` and `room`). */
export interface SendOk {
  seq: number;
  at: Timestamp;
  duplicate: boolean;
}

/** An error on a socket. */
export interface ErrorFrame {
  type: "error";
  id?: string;
  code: string;
  message: string;
  /** Seconds. */
  retryAfter?: number;
  errors?: { path: string; message: string }[];
}

/** Frames from the server: one object, or an array of them in order. */
export type ServerFrame =
  | {
    type: "ready";
    connection: string;
    principal: PublicPrincipal;
    epoch: string;
    limits: Limits;
    features: string[];
    expiresAt: Timestamp;
  }
  | ({ type: "ok"; id: string } & Record<string, unknown>)
  | ErrorFrame
  | ({ type: "event" } & LogEntry)
  | { type: "signal"; room: RoomId; signal: Signal }
  | { type: "pong" }
  | { type: "heads"; rooms: Record<RoomId, number> }
  | { type: "evicted"; room: RoomId; code: string }
  | { type: "expiring"; at: Timestamp };
