import type { Database, Row, Statement } from "../database/mod.ts";
import type { GlobalRole, Metadata, PrincipalKind } from "../protocol.ts";

/** An account as its owner sees it. */
export interface StoredAccount {
  id: string;
  kind: PrincipalKind;
  role: GlobalRole;
  /** Guests have none. */
  username?: string;
  name: string;
  metadata: Metadata;
  createdAt: Date;
}

/** A person as everybody sees them. */
export interface StoredPerson {
  id: string;
  kind: PrincipalKind;
  username?: string;
  name: string;
  metadata: Metadata;
}

interface PersonRow extends Row {
  id: string;
  kind: PrincipalKind;
  username: string | null;
  name: string;
  metadata: Metadata;
}

/** The columns of `principals p` that accountOf() reads. */
export const ACCOUNT_COLUMNS = "p.id, p.kind, p.role, p.username, p.name, p.metadata, p.created_at";

/** A row with ACCOUNT_COLUMNS. */
export interface AccountRow extends PersonRow {
  role: GlobalRole;
  created_at: Date;
}

/** Reads a row with ACCOUNT_COLUMNS. */
export function accountOf(row: AccountRow): StoredAccount {
  return { ...personOf(row), role: row.role, createdAt: row.created_at };
}

function personOf({ id, kind, username, name, metadata }: PersonRow): StoredPerson {
  return { id, kind, ...(username === null ? {} : { username }), name, metadata };
}

/** The password hash of the user with that name in any case; disabled users have none. */
export async function readPasswordHash(
  db: Database,
  username: string,
): Promise<{ principal: string; hash: string } | undefined> {
  const [row] = await db.query<{ principal: string; hash: string }>(
    `select p.id as principal, w.hash from principals p join passwords w on w.principal_id = p.id
     where lower(p.username) = lower($1) and p.disabled_at is null`,
    [username],
  );
  return row;
}

/** An account that is not disabled. */
export async function readAccount(db: Database, id: string): Promise<StoredAccount | undefined> {
  const [row] = await db.query<AccountRow>(
    `select ${ACCOUNT_COLUMNS} from principals p where p.id = $1 and p.disabled_at is null`,
    [id],
  );
  return row && accountOf(row);
}

/** Changes what is given (not null) of an account that is not disabled; `metadata` is JSON. */
export async function updateAccount(
  db: Database,
  id: string,
  name: string | null,
  metadata: string | null,
): Promise<StoredAccount | undefined> {
  const [row] = await db.query<AccountRow>(
    `update principals p set name = coalesce($2::text, p.name),
       metadata = coalesce($3::text::jsonb, p.metadata)
     where p.id = $1 and p.disabled_at is null returning ${ACCOUNT_COLUMNS}`,
    [id, name, metadata],
  );
  return row && accountOf(row);
}

/**
 * Waits for whoever else makes devices of an account or erases it, and keeps them waiting until the
 * end of the transaction: the statements after this one see what they did. Who locks rooms or
 * members, too, does that first.
 */
export function holdAccount(id: string): Statement {
  return { text: "select from principals where id = $1 for no key update", values: [id] };
}

/**
 * Ends an account for good and erases what says who it was, unless it has devices (`hasDevices`).
 * Username and password go, so the name can be taken again; the id stays as the sender of its
 * messages, with `name`. `erased`: there was an account to erase.
 */
export async function eraseAccount(
  db: Database,
  id: string,
  name: string,
): Promise<{ erased: boolean; hasDevices: boolean }> {
  const results = await db.transaction([holdAccount(id), {
    text: `with things as (
       select 1 from devices d where d.owner_id = $1 and d.deleted_at is null),
     gone as (
       update principals p set disabled_at = now(), username = null, name = $2, metadata = '{}'
       where p.id = $1 and p.disabled_at is null and not exists (select 1 from things)
       returning p.id),
     forgotten as (
       delete from passwords w where w.principal_id in (select g.id from gone g)),
     ended as (
       update sessions s set revoked_at = now()
       where s.principal_id in (select g.id from gone g) and s.revoked_at is null)
     select exists (select 1 from gone) as erased, exists (select 1 from things) as has_devices`,
    values: [id, name],
  }]);
  const { erased, has_devices } = results[1]![0] as { erased: boolean; has_devices: boolean };
  return { erased, hasDevices: has_devices };
}

/** A user or guest who is not disabled. */
export async function readPerson(db: Database, id: string): Promise<StoredPerson | undefined> {
  const [row] = await db.query<PersonRow>(
    `select p.id, p.kind, p.username, p.name, p.metadata from principals p
     where p.id = $1 and p.kind in ('user', 'guest') and p.disabled_at is null`,
    [id],
  );
  return row && personOf(row);
}

/**
 * Users whose name or username begins with `prefix` in any case, in the order of name and id,
 * beginning after a (name, id) of this order.
 */
export async function findUsers(
  db: Database,
  prefix: string,
  after: { name: string; id: string } | undefined,
  limit: number,
): Promise<StoredPerson[]> {
  const pattern = `${prefix.replace(/[\\%_]/g, "\\$&")}%`;
  const rows = await db.query<PersonRow>(
    `select p.id, p.kind, p.username, p.name, p.metadata from principals p
     where p.kind = 'user' and p.disabled_at is null
       and (lower(p.name) like lower($1) or lower(p.username) like lower($1))
       and ($2::text is null or (lower(p.name), p.id) > (lower($2::text), $3::uuid))
     order by lower(p.name), p.id limit $4`,
    [pattern, after?.name ?? null, after?.id ?? null, limit],
  );
  return rows.map(personOf);
}
