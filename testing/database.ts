import type { Database } from "../lib/database/mod.ts";
import { openPostgres } from "../lib/database/postgres.ts";

/** Milliseconds for making or dropping one database while many tests do the same. */
const TIMEOUT_MS = 30_000;

/** A migrated database of one test file; it is dropped at the end of its scope. */
export interface TestDatabase extends AsyncDisposable {
  /** Where it is, for the program under test. */
  url: string;
  /** Ten connections to it. */
  db: Database;
}

/**
 * Makes a database with the current schema. Use it with `await using`, so that it goes away:
 *
 * ```ts ignore
 * await using database = await testDatabase();
 * await database.db.query("select 1");
 * ```
 */
export async function testDatabase(): Promise<TestDatabase> {
  const server = Deno.env.get("TEST_DATABASE_URL");
  const template = Deno.env.get("TEST_TEMPLATE");
  if (!server || !template) {
    throw new Error("Tests need a database: run them with `deno task test [files]`");
  }
  const database = await createDatabase(server, template);
  const db = openPostgres(database.url);
  return {
    url: database.url,
    db,
    async [Symbol.asyncDispose]() {
      await db[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** Makes a database on `server`, empty or as a copy of `template`; disposing drops it. */
export async function createDatabase(
  server: string,
  template?: string,
): Promise<AsyncDisposable & { url: string; name: string }> {
  const name = `confab_test_${crypto.randomUUID().replaceAll("-", "")}`;
  // file_copy takes 30 ms where the default writes the whole template to the log
  const copy = template === undefined ? "" : ` template "${template}" strategy file_copy`;
  await administer(server, `create database "${name}"${copy}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    name,
    [Symbol.asyncDispose]: () =>
      administer(server, `drop database if exists "${name}" with (force)`),
  };
}

async function administer(server: string, statement: string): Promise<void> {
  const url = new URL(server);
  url.searchParams.set("lock_timeout", String(TIMEOUT_MS));
  await using admin = openPostgres(url.href, { maxConnections: 1 });
  await admin.query(statement, [], { timeoutMs: TIMEOUT_MS });
}
