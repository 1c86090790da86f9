import type { Database } from "../database/mod.ts";
import type { LogEntry, Message, RoomId, RoomRole } from "../protocol.ts";
import { concealBefore, entryOf, type EntryRow, messageOf } from "./entry_rows.ts";

/** A room as one snapshot shows it to one principal. */
export interface RoomView {
  epoch: string;
  head: number;
  floor: number;
  /** Null: not a member, the room is public. */
  role: RoomRole | null;
  visibleFrom: number;
  read: number;
  unread: number;
}

interface ViewRow extends EntryRow {
  head: number;
  floor: number;
  epoch: string;
  role: RoomRole | null;
  visible_from: number | null;
  read: number | null;
  unread: number | null;
}

// A scalar, so that the planner does not take the one row of `instance` for a thousand.
const EPOCH = `(select epoch from instance) as epoch`;
// A device sees only rooms it is a member of; everybody else also sees public ones.
const VIEW = `
  from rooms r
  join principals me on me.id = $2 and me.disabled_at is null
  left join members m on m.room_id = r.id and m.principal_id = me.id
  left join lateral room_progress(r, m) progress on m.role is not null`;
const VISIBLE = `r.id = $1 and r.deleted_at is null
  and (m.role is not null or (r.visibility = 'public' and me.kind <> 'device'))`;
const VIEW_COLUMNS = `r.head, r.floor, ${EPOCH}, m.role, m.visible_from,
  progress.read, progress.unread`;

function viewOf(row: ViewRow): RoomView {
  return {
    epoch: row.epoch,
    head: row.head,
    floor: row.floor,
    role: row.role,
    visibleFrom: row.visible_from ?? 1,
    read: row.read ?? 0,
    unread: row.unread ?? 0,
  };
}

/**
 * The entries of a room after a seq, oldest first, with the room's state, in one snapshot. A page
 * is a range of numbers, as they have no gaps: the planner cannot choose to read the whole room.
 * Undefined when the principal may not see the room. Entries before `visibleFrom` are left out,
 * later changes of messages before it come without content.
 */
export async function readLogAs(
  db: Database,
  room: RoomId,
  principal: string,
  after: number,
  limit: number,
): Promise<{ view: RoomView; entries: LogEntry[] } | undefined> {
  const rows = await db.query<ViewRow>(
    `select ${VIEW_COLUMNS}, e.* ${VIEW}
     cross join lateral (select greatest($3::bigint + 1, m.visible_from) as first) page
     left join lateral log_page(r.id, page.first, page.first + $4::bigint - 1) e on true
     where ${VISIBLE} order by e.seq`,
    [room, principal, after, limit],
  );
  const first = rows[0];
  if (first === undefined) return undefined;
  const view = viewOf(first);
  const entries = rows.filter((row) => row.seq !== null)
    .map((row) => concealBefore(entryOf(row, view.epoch), view.visibleFrom));
  return { view, entries };
}

/**
 * A page of messages, oldest first: those just before `before`, or just after `after`, or the
 * newest. One row more than `limit` is read to know whether there are more.
 */
export async function readMessagesAs(
  db: Database,
  room: RoomId,
  principal: string,
  range: { before?: number; after?: number },
  limit: number,
): Promise<{ view: RoomView; messages: Message[]; hasMore: boolean } | undefined> {
  const forward = range.after !== undefined;
  const rows = await db.query<ViewRow>(
    `select ${VIEW_COLUMNS}, e.* ${VIEW}
     left join lateral message_page(
       r.id, greatest($3::bigint, m.visible_from), $4::bigint, $5::bigint, $6) e on true
     where ${VISIBLE} order by e.seq`,
    [
      room,
      principal,
      range.after === undefined ? 1 : range.after + 1,
      range.before === undefined ? Number.MAX_SAFE_INTEGER : range.before - 1,
      limit + 1,
      forward,
    ],
  );
  const first = rows[0];
  if (first === undefined) return undefined;
  const found = rows.filter((row) => row.seq !== null);
  const hasMore = found.length > limit;
  const page = forward ? found.slice(0, limit) : found.slice(-limit);
  return { view: viewOf(first), messages: page.map(messageOf), hasMore };
}

/** One message as a principal may see it; undefined when there is none. */
export async function readMessageAs(
  db: Database,
  room: RoomId,
  principal: string,
  seq: number,
): Promise<Message | undefined> {
  const found = await readMessagesAs(db, room, principal, { after: seq - 1 }, 1);
  return found?.messages[0]?.seq === seq ? found.messages[0] : undefined;
}

/** The entries with these numbers, as they are now; for announcing what was just committed. */
export async function readEntries(
  db: Database,
  room: RoomId,
  from: number,
  to: number,
): Promise<LogEntry[]> {
  const rows = await db.query<EntryRow & { epoch: string }>(
    `select ${EPOCH}, e.* from log_page($1, $2, $3) e order by e.seq`,
    [room, from, to],
  );
  return rows.map((row) => entryOf(row, row.epoch));
}

/** The heads of many rooms and the epoch, in one statement: what a node's beacon asks. */
export async function readHeads(
  db: Database,
  rooms: RoomId[],
): Promise<{ epoch: string; heads: Map<RoomId, number> }> {
  const rows = await db.query<{ epoch: string; id: string | null; head: number }>(
    `select i.epoch, r.id, r.head from instance i left join rooms r on r.id = any ($1::uuid[])`,
    [rooms],
  );
  const heads = new Map<RoomId, number>();
  for (const row of rows) if (row.id !== null) heads.set(row.id, row.head);
  return { epoch: rows[0]?.epoch ?? "", heads };
}

/** Names a new history: every cursor given out before is refused. Returns the epoch in force. */
export async function rotateEpoch(db: Database, old: string, fresh: string): Promise<string> {
  const rows = await db.query<{ epoch: string }>(
    `update instance set epoch = $2 where epoch = $1 returning epoch`,
    [old, fresh],
  );
  // Another node was first: what it chose is seen by a statement of its own only.
  return rows[0]?.epoch ?? (await readHeads(db, [])).epoch;
}
