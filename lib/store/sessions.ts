import type { Database, Row } from "../database/mod.ts";
import { ACCOUNT_COLUMNS, accountOf, type AccountRow, type StoredAccount } from "./principals.ts";

/** How long a session lives after its last refresh, in SQL. */
export const SESSION_LIFE = "interval '30 days'";

/** A session as its owner sees it. */
export interface StoredSession {
  id: string;
  client: string;
  createdAt: Date;
  lastUsedAt: Date;
  expiresAt: Date;
}

interface SessionRow extends Row {
  id: string;
  client: string;
  created_at: Date;
  last_used_at: Date;
  expires_at: Date;
}

/** The live sessions of a principal, the most recently used first. */
export async function listSessions(
  db: Database,
  principal: string,
  limit: number,
): Promise<StoredSession[]> {
  const rows = await db.query<SessionRow>(
    `select id, client, created_at, last_used_at, expires_at from sessions
     where principal_id = $1 and revoked_at is null and expires_at > now()
     order by last_used_at desc, id desc limit $2`,
    [principal, limit],
  );
  return rows.map((row) => ({
    id: row.id,
    client: row.client,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
  }));
}

/** Revokes one session of a principal; false when there is no such live session. */
export async function revokeSession(
  db: Database,
  id: string,
  principal: string,
): Promise<boolean> {
  const rows = await db.query(
    `update sessions set revoked_at = now()
     where id = $1 and principal_id = $2 and revoked_at is null returning id`,
    [id, principal],
  );
  return rows.length > 0;
}

/** The account of a session when neither has ended. */
export async function readLiveSession(
  db: Database,
  id: string,
  principal: string,
): Promise<StoredAccount | undefined> {
  const [row] = await db.query<AccountRow>(
    `select ${ACCOUNT_COLUMNS} from sessions s join principals p on p.id = s.principal_id
     where s.id = $1 and p.id = $2 and s.revoked_at is null and p.disabled_at is null`,
    [id, principal],
  );
  return row && accountOf(row);
}

/** Removes at most `limit` sessions that expired, or were revoked over a day ago; returns how many. */
export async function deleteExpiredSessions(db: Database, limit: number): Promise<number> {
  const [row] = await db.query<{ removed: number }>(
    `with gone as (
       delete from sessions where id in (
         select id from sessions
         where expires_at < now() or revoked_at < now() - interval '1 day'
         limit $1 for update skip locked)
       returning 1)
     select count(*) as removed from gone`,
    [limit],
  );
  return row!.removed;
}
