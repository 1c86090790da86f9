import type { Database, Row } from "../database/mod.ts";

/** Somebody in a room. */
export interface RoomMember {
  id: string;
  /** A device, no person. */
  device: boolean;
}

/**
 * The members of each room by id, at most `limit` of each; rooms that do not exist are not in the
 * answer. No check of who asks.
 */
export async function readRoomMembers(
  db: Database,
  rooms: string[],
  limit: number,
): Promise<Map<string, RoomMember[]>> {
  const rows = await db.query<Row & { room_id: string; id: string; device: boolean }>(
    `select r.id as room_id, m.principal_id as id, m.device from rooms r
     cross join lateral (
       select x.principal_id, p.kind = 'device' as device from members x
       join principals p on p.id = x.principal_id
       where x.room_id = r.id order by x.principal_id limit $2) m
     where r.id = any($1::uuid[]) and r.deleted_at is null`,
    [rooms, limit],
  );
  const found = new Map<string, RoomMember[]>();
  for (const { room_id, id, device } of rows) {
    const members = found.get(room_id);
    if (members === undefined) found.set(room_id, [{ id, device }]);
    else members.push({ id, device });
  }
  return found;
}
