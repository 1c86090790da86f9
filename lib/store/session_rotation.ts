import type { Database } from "../database/mod.ts";
import { ACCOUNT_COLUMNS, accountOf, type AccountRow, type StoredAccount } from "./principals.ts";
import { SESSION_LIFE } from "./sessions.ts";

/** How long after a rotation the previous refresh token may be repeated. */
const GRACE = "interval '10 seconds'";

/** What became of a refresh; see rotateSession(). */
export type RotationOutcome =
  | "rotated"
  | "repeated"
  | "refresh_reused"
  | "refresh_invalid"
  | "session_revoked";

/**
 * Replaces a refresh token, atomically: the row's lock puts concurrent calls in a line, and each
 * judges the row as the one before left it.
 *
 * - `rotated`: the token was the valid one; `nextHash` is valid from now on.
 * - `repeated`: the token was replaced not longer than 10 s ago; `nextHash` is valid from now on.
 *   The time is not extended by repeating.
 * - `refresh_reused`: the token was replaced earlier (it is the previous one, or `authentic`: ours
 *   but neither); the session is revoked now, if it was not before.
 * - `session_revoked`: the token would do, but the session or the account has ended.
 * - `refresh_invalid`: anything else; nothing changes.
 */
export async function rotateSession(
  db: Database,
  session: string,
  token: { hash: string; nextHash: string; authentic: boolean },
): Promise<{ outcome: RotationOutcome; account?: StoredAccount }> {
  const [row] = await db.query<AccountRow & { outcome: RotationOutcome }>(
    `with s as materialized (
       select x.* from sessions x where x.id = $1 for update),
     judged as materialized (
       select s.id, s.principal_id, ${ACCOUNT_COLUMNS.replace("p.id, ", "")},
         case
           when s.refresh_hash = $2
             or (s.previous_hash = $2 and s.rotated_at > clock_timestamp() - ${GRACE}) then
             case when s.revoked_at is not null or p.disabled_at is not null
                    then 'session_revoked'
                  when s.expires_at <= clock_timestamp() then 'refresh_invalid'
                  when s.refresh_hash = $2 then 'rotated'
                  else 'repeated' end
           when s.previous_hash = $2 or $4 then 'refresh_reused'
           else 'refresh_invalid' end as outcome
       from s join principals p on p.id = s.principal_id),
     changed as (
       update sessions t set
         refresh_hash = case when j.outcome = 'refresh_reused' then t.refresh_hash else $3 end,
         previous_hash = case when j.outcome = 'rotated' then $2 else t.previous_hash end,
         rotated_at = case when j.outcome = 'rotated' then clock_timestamp()
                           else t.rotated_at end,
         last_used_at = case when j.outcome = 'refresh_reused' then t.last_used_at
                             else clock_timestamp() end,
         expires_at = case when j.outcome = 'refresh_reused' then t.expires_at
                           else clock_timestamp() + ${SESSION_LIFE} end,
         revoked_at = case when j.outcome = 'refresh_reused'
                           then coalesce(t.revoked_at, clock_timestamp()) end
       from judged j
       where t.id = j.id and j.outcome in ('rotated', 'repeated', 'refresh_reused'))
     select j.outcome, j.principal_id as id, j.kind, j.role, j.username, j.name, j.metadata,
       j.created_at from judged j`,
    [session, token.hash, token.nextHash, token.authentic],
  );
  if (row === undefined) return { outcome: "refresh_invalid" };
  const { outcome } = row;
  return outcome === "rotated" || outcome === "repeated"
    ? { outcome, account: accountOf(row) }
    : { outcome };
}
