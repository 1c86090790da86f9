import type { Database } from "../database/mod.ts";
import { ACCOUNT_COLUMNS, accountOf, type AccountRow, type StoredAccount } from "./principals.ts";
import { SESSION_LIFE } from "./sessions.ts";

/** A new session; `refreshHash` is the SHA-256 of its first refresh token. */
export interface NewSession {
  id: string;
  refreshHash: string;
  /** What the client calls itself. */
  client: string;
}

/**
 * Makes a person with their first session, and their password when `passwordHash` is given.
 * Undefined when somebody has the username already.
 */
export async function createAccount(
  db: Database,
  person: {
    id: string;
    kind: "user" | "guest";
    username: string | null;
    name: string;
    passwordHash: string | null;
  },
  session: NewSession,
): Promise<StoredAccount | undefined> {
  const [row] = await db.query<AccountRow>(
    `with p as (
       insert into principals (id, kind, role, username, name)
       values ($1, $2, $2, $3::text, $4)
       on conflict (lower(username)) where username is not null do nothing
       returning *),
     w as (
       insert into passwords (principal_id, hash)
       select p.id, $5::text from p where $5::text is not null),
     s as (
       insert into sessions (id, principal_id, refresh_hash, client, expires_at)
       select $6, p.id, $7, $8, now() + ${SESSION_LIFE} from p)
     select ${ACCOUNT_COLUMNS} from p`,
    [
      person.id,
      person.kind,
      person.username,
      person.name,
      person.passwordHash,
      session.id,
      session.refreshHash,
      session.client,
    ],
  );
  return row && accountOf(row);
}

/**
 * Makes one more session of an account; undefined when the account is disabled. Of more than
 * `max` live sessions the least recently used are revoked: their ids are `ended`.
 */
export async function createSession(
  db: Database,
  principal: string,
  session: NewSession,
  max: number,
): Promise<{ account: StoredAccount; ended: string[] } | undefined> {
  const [row] = await db.query<AccountRow & { ended: string[] }>(
    `with p as (select * from principals x where x.id = $1 and x.disabled_at is null),
     made as (
       insert into sessions (id, principal_id, refresh_hash, client, expires_at)
       select $2, p.id, $3, $4, now() + ${SESSION_LIFE} from p),
     surplus as (
       select s.id from sessions s join p on p.id = s.principal_id
       where s.revoked_at is null and s.expires_at > now()
       order by s.last_used_at desc, s.id desc offset $5),
     ended as (
       update sessions s set revoked_at = now() from surplus u where s.id = u.id
       returning s.id)
     select ${ACCOUNT_COLUMNS}, array(select e.id::text from ended e) as ended from p`,
    // The statement does not see the session that it makes itself.
    [principal, session.id, session.refreshHash, session.client, max - 1],
  );
  return row && { account: accountOf(row), ended: row.ended };
}
