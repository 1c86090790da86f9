import type { Database } from "../database/mod.ts";

/** Ids whose access has ended. */
export interface StoredRevocations {
  sessions: string[];
  principals: string[];
}

/**
 * Which of these sessions and principals have no access any more: revoked, disabled or removed.
 * A node asks this for everything it holds open, on its beacon.
 */
export async function revokedAmong(
  db: Database,
  sessions: string[],
  principals: string[],
): Promise<StoredRevocations> {
  const [row] = await db.query<{ sessions: string[]; principals: string[] }>(
    `select
       array(select a.id::text from unnest($1::uuid[]) as a(id)
             where not exists (select 1 from sessions s
                               where s.id = a.id and s.revoked_at is null)) as sessions,
       array(select a.id::text from unnest($2::uuid[]) as a(id)
             where not exists (select 1 from principals p
                               where p.id = a.id and p.disabled_at is null)) as principals`,
    [sessions, principals],
  );
  return row!;
}

/** What was revoked or disabled in the last `seconds`, at most `limit` of each, newest first. */
export async function revokedSince(
  db: Database,
  seconds: number,
  limit: number,
): Promise<StoredRevocations> {
  const [row] = await db.query<{ sessions: string[]; principals: string[] }>(
    `select
       array(select s.id::text from sessions s
             where s.revoked_at > now() - $1::float8 * interval '1 second'
             order by s.revoked_at desc limit $2) as sessions,
       array(select p.id::text from principals p
             where p.disabled_at > now() - $1::float8 * interval '1 second'
             order by p.disabled_at desc limit $2) as principals`,
    [seconds, limit],
  );
  return row!;
}
