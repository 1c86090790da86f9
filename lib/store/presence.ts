import type { Database } from "../database/mod.ts";

/**
 * The people in each room by id, at most `limit` of each; rooms that do not exist are not in the
 * answer. Devices are left out: they have no connection here that could say whether they are there.
 * No check of who asks.
 */
export async function readPeople(
  db: Database,
  rooms: string[],
  limit: number,
): Promise<Map<string, string[]>> {
  const rows = await db.query<{ room_id: string; principal_id: string }>(
    `select r.id as room_id, m.principal_id from rooms r
     cross join lateral (
       select x.principal_id from members x
       join principals p on p.id = x.principal_id and p.kind <> 'device'
       where x.room_id = r.id order by x.principal_id limit $2) m
     where r.id = any($1::uuid[]) and r.deleted_at is null`,
    [rooms, limit],
  );
  const found = new Map<string, string[]>();
  for (const { room_id, principal_id } of rows) {
    const members = found.get(room_id);
    if (members === undefined) found.set(room_id, [principal_id]);
    else members.push(principal_id);
  }
  return found;
}
