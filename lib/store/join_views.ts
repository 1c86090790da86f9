import type { Database } from "../database/mod.ts";
import type { LogEntry, PrincipalId, RoomId } from "../protocol.ts";
import { entryOf, type EntryRow } from "./entry_rows.ts";
import {
  EPOCH,
  type RoomView,
  type RoomViewRow,
  VIEW_COLUMNS,
  viewOf,
  viewOfRoom,
  VISIBLE,
} from "./room_view.ts";

/** Somebody who joins a room; without a cursor nothing is replayed. */
export interface Joiner {
  principal: PrincipalId;
  after: number | undefined;
}

/** What a joiner sees of the room. */
export interface JoinView extends RoomView {
  /** The first entry to replay, perhaps above the head; undefined: the cursor cannot be served. */
  first: number | undefined;
}

interface JoinRow extends EntryRow, RoomViewRow {
  /** The place among the joiners; null: the row is an entry. */
  n: number | null;
  first: number | null;
}

/**
 * What many joiners of one room see of it, in their order (undefined: nothing), and the end of its
 * log that they need, oldest first, not concealed from anybody: all in one statement and snapshot.
 * Of the entries there are at most `maxEntries`, and no more than fit into `maxBytes`: who needs
 * earlier ones cannot be served. A cursor below the floor or above the head cannot be, either.
 */
export async function readJoinViews(
  db: Database,
  room: RoomId,
  joiners: readonly Joiner[],
  { maxEntries, maxBytes }: { maxEntries: number; maxBytes: number },
): Promise<{ views: (JoinView | undefined)[]; entries: LogEntry[] }> {
  const rows = await db.query<JoinRow>(
    `with views as materialized (
       select j.n, ${VIEW_COLUMNS},
              case when j.after between r.floor and r.head
                        and r.head - greatest(j.after + 1, m.visible_from) < $4::bigint
                   then greatest(j.after + 1, m.visible_from) end as first
       from unnest($2::uuid[], $3::bigint[]) with ordinality as j(principal, after, n)
       ${viewOfRoom("$1", "j.principal")}
       where ${VISIBLE})
     select ${EPOCH}, v.*, (null::log_entries).* from views v
     union all
     select ${EPOCH}, null, page.head, null, null, null, null, null, null, e.*
     from (select min(v.first) as first, max(v.head) as head from views v
           where v.first <= v.head) page
     cross join lateral log_page($1, page.first, page.head, $5, true) e`,
    [
      room,
      joiners.map(({ principal }) => principal),
      joiners.map(({ after }) => after ?? null),
      maxEntries,
      maxBytes,
    ],
  );
  const views = new Array<JoinView | undefined>(joiners.length).fill(undefined);
  const entries: LogEntry[] = [];
  for (const row of rows) {
    if (row.n === null) entries.push(entryOf(row, row.epoch));
    else views[row.n - 1] = { ...viewOf(row), first: row.first ?? undefined };
  }
  return { views, entries: entries.sort((a, b) => a.seq - b.seq) };
}
