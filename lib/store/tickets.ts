import type { Database } from "../database/mod.ts";

/**
 * Uses up a ticket: true exactly once for one id, and only while its session and the account live.
 * `keptUntil` is when no node accepts the ticket any more, so that the row can go.
 */
export async function useTicket(
  db: Database,
  id: string,
  session: string,
  principal: string,
  keptUntil: Date,
): Promise<boolean> {
  const rows = await db.query(
    `insert into tickets (id, expires_at)
     select $1, $4 from sessions s join principals p on p.id = s.principal_id
     where s.id = $2 and p.id = $3 and s.revoked_at is null and p.disabled_at is null
     on conflict (id) do nothing returning id`,
    [id, session, principal, keptUntil],
  );
  return rows.length > 0;
}

/** Removes at most `limit` used tickets that no node accepts any more; returns how many. */
export async function deleteExpiredTickets(db: Database, limit: number): Promise<number> {
  const [row] = await db.query<{ removed: number }>(
    `with gone as (
       delete from tickets where id in (
         select id from tickets where expires_at < now() limit $1 for update skip locked)
       returning 1)
     select count(*) as removed from gone`,
    [limit],
  );
  return row!.removed;
}
