import { migrate } from "../lib/database/migrate.ts";
import type { Database } from "../lib/database/mod.ts";
import { openNeon } from "../lib/database/neon.ts";
import { openPostgres } from "../lib/database/postgres.ts";
import { startNeonGateway } from "./gateways/neon.ts";

/** Milliseconds for making or dropping one database while many tests do the same. */
const TIMEOUT_MS = 30_000;

/** A migrated database of one test file; it is dropped at the end of its scope. */
export interface TestDatabase extends AsyncDisposable {
  /** Where it is, for the program under test. */
  url: string;
  /** Ten connections to it; with TEST_SHAPE=edge the driver of Neon. */
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
  await using stack = new AsyncDisposableStack();
  stack.use(database);
  const isEdge = Deno.env.get("TEST_SHAPE") === "edge";
  const db = stack.use(
    isEdge ? await overNeon(database.url, stack) : openPostgres(database.url),
  );
  const opened = stack.move();
  return { url: database.url, db, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** The driver knows one endpoint for each host, so this one has a host of its own. */
async function overNeon(server: string, stack: AsyncDisposableStack): Promise<Database> {
  {
    // Sets the defaults of the role, which a copy of a template lacks.
    await using db = openPostgres(server);
    await migrate(db);
  }
  const { endpoint } = stack.use(startNeonGateway(server));
  const url = new URL(server);
  url.password = "secret";
  url.port = "";
  url.hostname = `${crypto.randomUUID()}.example`;
  return openNeon(url.href, { fetchEndpoint: endpoint });
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
