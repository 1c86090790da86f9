import type { Database } from "../database/mod.ts";
import type { LogEntry, Message, RoomId } from "../protocol.ts";
import { concealBefore, entryOf, type EntryRow, messageOf } from "./entry_rows.ts";
import {
  EPOCH,
  type RoomView,
  type RoomViewRow,
  VIEW_COLUMNS,
  viewOf,
  viewOfRoom,
  VISIBLE,
} from "./room_view.ts";

/**
 * Bytes of content that one read brings at most, unless a single entry has more; what it leaves out
 * comes with the next read.
 */
export const READ_BYTES = 1024 * 1024;

interface ViewRow extends EntryRow, RoomViewRow {}

/**
 * The entries of a room after a seq, oldest first, with the room's state, in one snapshot. A page
 * is a range of numbers, as they have no gaps: the planner cannot choose to read the whole room.
 * Undefined when the principal may not see the room. Entries before `visibleFrom` are left out,
 * later changes of messages before it come without content. At most READ_BYTES: fewer than `limit`
 * entries do not mean that these were all.
 */
export async function readLogAs(
  db: Database,
  room: RoomId,
  principal: string,
  after: number,
  limit: number,
): Promise<{ view: RoomView; entries: LogEntry[] } | undefined> {
  const rows = await db.query<ViewRow>(
    `select ${EPOCH}, ${VIEW_COLUMNS}, e.* from (values (1)) one ${viewOfRoom("$1", "$2")}
     cross join lateral (select greatest($3::bigint + 1, m.visible_from) as first) page
     left join lateral log_page(
       r.id, page.first, page.first + $4::bigint - 1, $5, false) e on true
     where ${VISIBLE} order by e.seq`,
    [room, principal, after, limit, READ_BYTES],
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
 * newest; fewer than `limit` when these are READ_BYTES already.
 */
export async function readMessagesAs(
  db: Database,
  room: RoomId,
  principal: string,
  range: { before?: number; after?: number },
  limit: number,
): Promise<{ view: RoomView; messages: Message[]; hasMore: boolean } | undefined> {
  const rows = await db.query<ViewRow & { more: boolean | null }>(
    `select ${EPOCH}, ${VIEW_COLUMNS}, page.more, (page.entry).*
     from (values (1)) one ${viewOfRoom("$1", "$2")}
     left join lateral message_page(
       r.id, greatest($3::bigint, m.visible_from), $4::bigint, $5::bigint, $6, $7) page on true
     where ${VISIBLE} order by (page.entry).seq`,
    [
      room,
      principal,
      range.after === undefined ? 1 : range.after + 1,
      range.before === undefined ? Number.MAX_SAFE_INTEGER : range.before - 1,
      limit,
      READ_BYTES,
      range.after !== undefined,
    ],
  );
  const first = rows[0];
  if (first === undefined) return undefined;
  const messages = rows.filter((row) => row.seq !== null).map(messageOf);
  return { view: viewOf(first), messages, hasMore: first.more === true };
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

/** The entries with these numbers, as they are now; the first of them when there are too many bytes. */
export async function readEntries(
  db: Database,
  room: RoomId,
  from: number,
  to: number,
): Promise<LogEntry[]> {
  const rows = await db.query<EntryRow & { epoch: string }>(
    `select ${EPOCH}, e.* from log_page($1, $2, $3, $4, false) e order by e.seq`,
    [room, from, to, READ_BYTES],
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
