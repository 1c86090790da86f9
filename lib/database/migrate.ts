import { type Database, DatabaseError, type Statement } from "./mod.ts";

const FOLDER = new URL("./migrations/", import.meta.url);
/** Milliseconds for one file, and for waiting until another process has applied it. */
const TIMEOUT_MS = 60_000;
/** Key of the advisory lock under which migrations run; an arbitrary number. */
const LOCK = 6_044_517_221;

/** One file of the folder. */
export interface Migration {
  /** The file's name; files apply in the order of their names. */
  name: string;
  sql: string;
}

/** Thrown when the files and the database do not fit together; the message names the file. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
}

/** Reads the migrations that this version of Confab brings along. */
export async function readMigrations(folder: URL = FOLDER): Promise<Migration[]> {
  const migrations: Migration[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".sql")) continue;
    const sql = await Deno.readTextFile(new URL(name, folder));
    migrations.push({ name, sql: sql.replaceAll("\r\n", "\n") });
  }
  return migrations.sort((a, b) => a.name < b.name ? -1 : 1);
}

/**
 * Brings a database up to date, forward only. Each file applies whole or not at all, once, also
 * when several processes do this at the same time. Names of other versions' files are left alone.
 *
 * @throws {MigrationError} when an applied file was changed since, or a file fails
 */
export async function migrate(
  db: Database,
  migrations?: Migration[],
): Promise<{ applied: string[] }> {
  await limitLockWaits(db);
  const present = await readApplied(db);
  const applied: string[] = [];
  for (const migration of migrations ?? await readMigrations()) {
    const hash = await sha256(migration.sql);
    const known = present.get(migration.name);
    if (known !== undefined && known !== hash) throw changed(migration);
    if (known === undefined && await apply(db, migration, hash)) applied.push(migration.name);
  }
  return { applied };
}

/**
 * Drivers without sessions (HTTP) cannot set `lock_timeout` for each statement at no cost, so it
 * becomes the default of this role in this database. A role that may not change its defaults waits
 * for locks until the deadline of the call.
 */
async function limitLockWaits(db: Database): Promise<void> {
  const present = await db.query(
    `select from pg_db_role_setting
     where setdatabase = (select oid from pg_database where datname = current_database())
       and setrole = current_user::regrole and 'lock_timeout=1s' = any (setconfig)`,
  );
  if (present.length > 0) return;
  await db.transaction([...underLock(), { text: LIMIT_LOCK_WAITS }], { timeoutMs: 2 * TIMEOUT_MS });
}

const LIMIT_LOCK_WAITS = `
do $$ begin
  execute format('alter role %I in database %I set lock_timeout = %L',
    current_user, current_database(), '1s');
exception when insufficient_privilege then null;
end $$`;

/** The first statements of a transaction that runs alone among all migrations of this database. */
function underLock(): Statement[] {
  return [
    {
      text:
        `select set_config('lock_timeout', $1, true), set_config('statement_timeout', $1, true)`,
      values: [String(TIMEOUT_MS)],
    },
    { text: "select pg_advisory_xact_lock($1)", values: [LOCK] },
  ];
}

async function readApplied(db: Database): Promise<Map<string, string>> {
  const [found] = await db.query(`select to_regclass('migrations') is not null as present`);
  if (!found?.present) return new Map();
  const rows = await db.query<{ name: string; hash: string }>("select name, hash from migrations");
  return new Map(rows.map(({ name, hash }) => [name, hash]));
}

/** True when the file was applied, false when another process did so first. */
async function apply(db: Database, { name, sql }: Migration, hash: string): Promise<boolean> {
  const statements: Statement[] = [
    ...underLock(),
    { text: CREATE_TABLE },
    { text: CREATE_FUNCTION },
    { text: "select pg_temp.apply_migration($1, $2, $3) as outcome", values: [name, hash, sql] },
  ];
  try {
    const results = await db.transaction(statements, { timeoutMs: 2 * TIMEOUT_MS });
    const outcome = results.at(-1)?.[0]?.outcome;
    if (outcome === "changed") throw changed({ name });
    return outcome === "applied";
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.failure !== "rejected") throw error;
    throw new MigrationError(`Migration ${name} failed: ${error.message}`, { cause: error });
  }
}

const CREATE_TABLE = `
create table if not exists migrations (
  name text primary key,
  hash text not null,
  applied_at timestamptz not null default now()
)`;

/**
 * A file holds many statements, and not every driver sends more than one at a time: the server
 * splits them itself, in `execute`. The function lives as long as the session.
 */
const CREATE_FUNCTION = `
create or replace function pg_temp.apply_migration(file text, digest text, body text)
returns text language plpgsql as $$
declare
  known text;
begin
  select m.hash into known from migrations m where m.name = file;
  if known = digest then return 'present'; end if;
  if known is not null then return 'changed'; end if;
  execute body;
  insert into migrations (name, hash) values (file, digest);
  return 'applied';
end $$`;

function changed({ name }: Pick<Migration, "name">): MigrationError {
  return new MigrationError(
    `Migration ${name} was applied with other content; restore the file and add a new one`,
  );
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
