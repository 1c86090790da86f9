import type { Database, Row } from "../database/mod.ts";
import type { CommandStatus, Metadata, PrincipalKind, PublicPrincipal } from "../protocol.ts";
import { VISIBLE } from "./room_view.ts";

/** A command as the list of a room shows it. */
export interface StoredCommand {
  id: string;
  seq: number;
  device: PublicPrincipal;
  sender: PublicPrincipal;
  name: string;
  /** Undefined when they were deleted with the message. */
  args: Metadata | undefined;
  status: CommandStatus;
  createdAt: Date;
  expiresAt: Date;
  settledAt: Date | undefined;
  answer: number | undefined;
}

interface CommandRow extends Row {
  id: string | null;
  seq: number;
  device_id: string;
  device_name: string;
  sender_id: string;
  sender_kind: PrincipalKind;
  sender_name: string;
  name: string;
  args: Metadata | null;
  status: CommandStatus;
  created_at: Date;
  expires_at: Date;
  settled_at: Date | null;
  answer_seq: number | null;
}

function commandOf(row: CommandRow): StoredCommand {
  return {
    id: row.id!,
    seq: row.seq,
    device: { id: row.device_id, kind: "device", name: row.device_name },
    sender: { id: row.sender_id, kind: row.sender_kind, name: row.sender_name },
    name: row.name,
    args: row.args ?? undefined,
    status: row.status,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    settledAt: row.settled_at ?? undefined,
    answer: row.answer_seq ?? undefined,
  };
}

/** Which commands are asked for; absent fields let all through. */
export interface CommandFilter {
  status?: CommandStatus;
  device?: string;
}

/**
 * Commands of a room before a seq, the newest first, as a principal may see them; undefined when
 * the principal may not see the room.
 */
export async function listCommands(
  db: Database,
  room: string,
  viewer: string,
  filter: CommandFilter,
  before: number,
  limit: number,
): Promise<StoredCommand[] | undefined> {
  const rows = await db.query<CommandRow>(
    `select c.*, x.name as device_name, s.kind as sender_kind, s.name as sender_name,
       case when e.deleted_at is null then e.payload -> 'command' -> 'args' end as args
     from rooms r
     join principals me on me.id = $2 and me.disabled_at is null
     left join members m on m.room_id = r.id and m.principal_id = me.id
     left join lateral (
       select c.id, c.seq, c.device_id, c.sender_id, c.name, c.status, c.created_at, c.expires_at,
              c.settled_at, c.answer_seq
       from commands c
       where c.room_id = r.id and c.seq >= coalesce(m.visible_from, 1) and c.seq < $3
         and ($4::text is null or c.status = $4::text)
         and ($5::uuid is null or c.device_id = $5::uuid)
       order by c.seq desc limit $6) c on true
     left join principals x on x.id = c.device_id
     left join principals s on s.id = c.sender_id
     left join entries e on e.room_id = r.id and e.seq = c.seq
     where r.id = $1 and r.deleted_at is null and ${VISIBLE}
     order by c.seq desc`,
    [room, viewer, before, filter.status ?? null, filter.device ?? null, limit],
  );
  if (rows.length === 0) return undefined;
  return rows.filter((row) => row.id !== null).map(commandOf);
}

/** A command that its device has not answered yet. */
export interface OpenCommand {
  /** Rises with every command. */
  number: number;
  device: string;
  id: string;
  room: string;
  seq: number;
  name: string;
  args: Metadata;
  from: { id: string; name: string };
  expiresAt: string;
  /** When this was read, by the database's clock. */
  readAt: Date;
}

interface OpenRow extends Row {
  number: number;
  device_id: string;
  room_id: string;
  seq: number;
  command: { id: string; name: string; args: Metadata; expiresAt: string };
  sender_id: string;
  sender_name: string;
  read_at: Date;
}

/**
 * The first commands after a number that wait for these devices (null: for any), as long as they
 * are in the room of the command.
 */
export async function readOpenCommands(
  db: Database,
  devices: string[] | null,
  after: number,
  limit: number,
): Promise<OpenCommand[]> {
  const rows = await db.query<OpenRow>(
    `select c.number, c.device_id, c.room_id, c.seq, e.payload -> 'command' as command,
       s.id as sender_id, s.name as sender_name, clock_timestamp() as read_at
     from commands c
     join entries e on e.room_id = c.room_id and e.seq = c.seq
     join rooms r on r.id = c.room_id and r.deleted_at is null
     join members m on m.room_id = c.room_id and m.principal_id = c.device_id
     join principals x on x.id = c.device_id and x.disabled_at is null
     join principals s on s.id = c.sender_id
     where c.status = 'queued' and c.expires_at > clock_timestamp() and c.number > $2
       and ($1::uuid[] is null or c.device_id = any ($1::uuid[]))
     order by c.number limit $3`,
    [devices, after, limit],
  );
  return rows.map((row) => ({
    number: row.number,
    device: row.device_id,
    id: row.command.id,
    room: row.room_id,
    seq: row.seq,
    name: row.command.name,
    args: row.command.args,
    from: { id: row.sender_id, name: row.sender_name },
    expiresAt: row.command.expiresAt,
    readAt: row.read_at,
  }));
}
