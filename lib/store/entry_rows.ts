import type { Row } from "../database/mod.ts";
import type {
  Attachment,
  DesiredState,
  DeviceAlert,
  Json,
  LogEntry,
  LogEvent,
  Member,
  Message,
  MessageCommand,
  Metadata,
  PrincipalKind,
  PublicPrincipal,
  RoomRole,
  RoomSettings,
} from "../protocol.ts";

/** A row of the view `log_entries`. */
export interface EntryRow extends Row {
  room_id: string;
  seq: number;
  type: string;
  at: Date;
  target: number | null;
  payload: Json;
  actor_id: string;
  actor_kind: PrincipalKind;
  actor_name: string;
  subject_id: string | null;
  subject_kind: PrincipalKind | null;
  subject_name: string | null;
  message_seq: number | null;
  message_at: Date | null;
  client_id: string | null;
  text: string | null;
  data: Json;
  metadata: Metadata | null;
  reply_to: number | null;
  edited_at: Date | null;
  deleted_at: Date | null;
  updated_seq: number | null;
  sender_id: string | null;
  sender_kind: PrincipalKind | null;
  sender_name: string | null;
  message_payload: { command?: MessageCommand; attachments?: Attachment[] } | null;
}

/** The message of a row of `log_entries`, with the content it has now and its clientId. */
export function messageOf(row: EntryRow): Message {
  const message: Message = {
    room: row.room_id,
    seq: row.message_seq!,
    sender: { id: row.sender_id!, kind: row.sender_kind!, name: row.sender_name! },
    at: row.message_at!.toISOString(),
    attachments: row.message_payload?.attachments ?? [],
    updatedSeq: row.updated_seq!,
  };
  if (row.client_id !== null) message.clientId = row.client_id;
  if (row.text !== null) message.text = row.text;
  if (row.data !== null) message.data = row.data;
  if (row.metadata !== null) message.metadata = row.metadata;
  if (row.reply_to !== null) message.replyTo = row.reply_to;
  if (row.edited_at !== null) message.editedAt = row.edited_at.toISOString();
  if (row.deleted_at !== null) message.deletedAt = row.deleted_at.toISOString();
  const command = row.message_payload?.command;
  if (command !== undefined && row.deleted_at === null) message.command = command;
  return message;
}

/** The log entry of a row of `log_entries`. */
export function entryOf(row: EntryRow, epoch: string): LogEntry {
  const base = {
    actor: { id: row.actor_id, kind: row.actor_kind, name: row.actor_name },
    at: row.at.toISOString(),
  };
  return { room: row.room_id, epoch, seq: row.seq, event: { ...base, ...whatHappened(row) } };
}

/** The entry for a reader of what is later than `visibleFrom`: changes of older messages are empty. */
export function concealBefore(entry: LogEntry, visibleFrom: number): LogEntry {
  const { event } = entry;
  if (!("message" in event) || event.message.seq >= visibleFrom) return entry;
  const { text: _, data: __, metadata: ___, replyTo: ____, command: _____, ...rest } =
    event.message;
  return { ...entry, event: { ...event, message: { ...rest, attachments: [] } } };
}

/** An event without who and when. */
type Happening<E = LogEvent> = E extends LogEvent ? Omit<E, "actor" | "at"> : never;

function whatHappened(row: EntryRow): Happening {
  switch (row.type) {
    case "message.created":
      return { type: row.type, message: messageOf(row) };
    case "message.edited":
    case "message.deleted":
    case "command.updated":
      return { type: row.type, target: row.target!, message: messageOf(row) };
    case "member.joined":
    case "member.role":
      return { type: row.type, member: memberOf(row) };
    case "member.left":
    case "member.removed":
      return { type: row.type, principal: subjectOf(row) };
    case "room.updated":
      return { type: row.type, settings: row.payload as unknown as RoomSettings };
    case "device.state":
      return {
        type: row.type,
        device: subjectOf(row),
        state: row.payload as unknown as DesiredState,
      };
    case "device.alert":
      return {
        type: row.type,
        device: subjectOf(row),
        alert: row.payload as unknown as DeviceAlert,
      };
    default:
      // A newer node wrote it. Clients skip such types, and their cursors pass them.
      return { type: row.type } as unknown as Happening;
  }
}

function memberOf(row: EntryRow): Member {
  const { role, joinedSeq } = row.payload as { role: RoomRole; joinedSeq: number };
  return { principal: subjectOf(row), role, joinedSeq };
}

function subjectOf(row: EntryRow): PublicPrincipal {
  return { id: row.subject_id!, kind: row.subject_kind!, name: row.subject_name! };
}
