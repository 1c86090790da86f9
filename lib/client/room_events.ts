import type {
  LogEntry,
  LogEvent,
  Message,
  PrincipalId,
  PublicPrincipal,
  Reading,
  ReportedState,
} from "../protocol.ts";
import type { Clock } from "./clock.ts";
import type { Connection } from "./connection.ts";
import type { RoomStatus } from "./following.ts";
import type { OutboxStore } from "./outbox.ts";
import type { PresenceChange } from "./presence.ts";
import type { RestClient } from "./rest.ts";

/** What a room tells; each log entry once, in order. */
export interface RoomEvents {
  state: RoomStatus;
  /** A message was created. */
  message: Message;
  /** A message that is held was edited or deleted. */
  change: Message;
  /** Somebody joined, left, was removed or changed the role. */
  member: LogEvent;
  /** Every entry, after its own event. */
  entry: LogEntry;
  /** Another state of a device is wished for. */
  desired: Extract<LogEvent, { type: "device.state" }>;
  /** A device has reported another state, or has something else to do. */
  reported: ReportedState;
  typing: PublicPrincipal;
  receipt: { principal: PublicPrincipal; read: number };
  /** Members came or went, or it is not known any more who is here. */
  presence: PresenceChange;
  /** The newest readings of a device, at most once a second. */
  telemetry: { device: PrincipalId; readings: Reading[] };
  /** The link was too slow for some `reported` or `telemetry`: read again what is shown of them. */
  missed: undefined;
  /** Messages were loaded into the timeline. */
  loaded: { count: number };
  /** The cursor was of no use: the timeline is empty, and reloads if it had been loaded. */
  reset: { epoch: string };
  outbox: undefined;
  unread: { read: number; unread: number };
  evicted: { code: string };
}

/** What rooms share. */
export interface RoomContext {
  connection: Connection;
  rest: RestClient;
  clock: Clock;
  outboxStore: OutboxStore | undefined;
  maxMessages: number;
  maxOutboxItems: number;
}
