import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createDatabase } from "../../testing/database.ts";
import { startNeonGateway } from "../../testing/gateways/neon.ts";
import { migrate, type Migration, MigrationError, readMigrations } from "./migrate.ts";
import type { Database } from "./mod.ts";
import { openNeon } from "./neon.ts";
import { openPostgres } from "./postgres.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const server = Deno.env.get("TEST_DATABASE_URL") ?? "";

/** An empty database, and a way to open it through each driver. */
async function openEmpty() {
  const database = await createDatabase(server);
  const gateway = startNeonGateway(database.url);
  const url = new URL(database.url);
  url.port = "";
  url.hostname = `${database.name}.example`;
  url.password = "secret";
  return {
    drivers: [
      () => openPostgres(database.url),
      () => openNeon(url.href, { fetchEndpoint: gateway.endpoint }),
    ],
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** Runs the test once for each driver, on an empty database. */
function testEach(sentence: string, run: (open: () => Database) => Promise<void>): void {
  for (const [index, driver] of ["TCP", "HTTP"].entries()) {
    Deno.test(`migrate() ${sentence}, over ${driver}`, strict, async () => {
      await using empty = await openEmpty();
      await run(empty.drivers[index]!);
    });
  }
}

const first: Migration = {
  name: "0001_first.sql",
  sql: `create table a (n int); -- a comment; with a semicolon
    create function f() returns text language sql as $body$ select 'x;''y'; $body$;
    insert into a values (1), (2);`,
};
const second: Migration = { name: "0002_second.sql", sql: "alter table a add m int default 7;" };

testEach("applies every file once when three processes start together", async (open) => {
  const databases = [open(), open(), open()];
  const expected = (await readMigrations()).map(({ name }) => name);
  assert(expected.length > 0);
  const results = await Promise.all(databases.map((db) => migrate(db)));
  assertEquals(results.flatMap(({ applied }) => applied).sort(), expected);
  for (const db of databases) await db[Symbol.asyncDispose]();
});

testEach("applies what is new, in the order of names", async (open) => {
  await using db = open();
  assertEquals(await migrate(db, [first]), { applied: [first.name] });
  assertEquals(await migrate(db, [first, second]), { applied: [second.name] });
  assertEquals(await migrate(db, [first, second]), { applied: [] });
  assertEquals(await db.query("select n, m, f() from a order by n limit 1"), [
    { n: 1, m: 7, f: "x;'y" },
  ]);
});

testEach("refuses a file that was changed after it was applied", async (open) => {
  await using db = open();
  await migrate(db, [first]);
  const changed = { ...first, sql: `${first.sql} drop table a;` };
  const error = await assertRejects(() => migrate(db, [changed, second]), MigrationError);
  assertStringIncludes(error.message, first.name);
  assertEquals(await db.query("select m.name from migrations m"), [{ name: first.name }]);
});

testEach("keeps nothing of a file that fails, and names it", async (open) => {
  await using db = open();
  const broken = { name: "0002_broken.sql", sql: "create table b (n int); select 1 / 0;" };
  const error = await assertRejects(() => migrate(db, [first, broken]), MigrationError);
  assertStringIncludes(error.message, "0002_broken.sql failed: division by zero");
  assertEquals(await db.query("select to_regclass('b') as b"), [{ b: null }]);
  assertEquals(await migrate(db, [first, second]), { applied: [second.name] });
});

testEach("makes the limit of lock waits a default of the role", async (open) => {
  await using db = open();
  await migrate(db, []);
  await migrate(db, []);
  const settings = await db.query(
    `select setconfig from pg_db_role_setting
     where setdatabase = (select oid from pg_database where datname = current_database())`,
  );
  assertEquals(settings, [{ setconfig: ["lock_timeout=1s"] }]);
});
