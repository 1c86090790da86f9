import { assert, assertEquals } from "@std/assert";
import { testDatabase } from "../../testing/database.ts";
import { startProxy } from "../../testing/proxy.ts";
import { failing, testDatabaseContract } from "./contract.ts";
import type { Database } from "./mod.ts";
import { openPostgres } from "./postgres.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

testDatabaseContract("openPostgres()", async () => {
  const database = await testDatabase();
  const unreachable = openPostgres("postgres://postgres@127.0.0.1:9/postgres");
  return {
    db: database.db,
    unreachable,
    async [Symbol.asyncDispose]() {
      await unreachable[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
});

/** Process ids of `count` connections that are open at the same time. */
async function backends(db: Database, count: number): Promise<number[]> {
  const one = () => db.query<{ pid: number }>("select pg_backend_pid() as pid from pg_sleep(0.1)");
  const rows = await Promise.all(Array.from({ length: count }, one));
  return rows.map(([row]) => row!.pid);
}

Deno.test("openPostgres() replaces idle connections after a missed deadline", strict, async () => {
  await using database = await testDatabase();
  const before = await backends(database.db, 4);
  await failing("unknown", () => database.db.query("select pg_sleep(60)", [], { timeoutMs: 100 }));
  const after = await backends(database.db, 4);
  assertEquals(after.filter((pid) => before.includes(pid)), []);
});

Deno.test("openPostgres() keeps its connections when a statement is refused", strict, async () => {
  await using database = await testDatabase();
  const before = await backends(database.db, 1);
  await failing("rejected", () => database.db.query("select 1 / 0"));
  assertEquals(await backends(database.db, 1), before);
});

Deno.test("openPostgres() calls a wait for a connection unavailable", strict, async () => {
  await using database = await testDatabase();
  await using db = openPostgres(database.url, { maxConnections: 1 });
  const held = db.query("select 1 as a from pg_sleep(1)");
  await failing("unavailable", () => db.query("select 1", [], { timeoutMs: 100 }));
  assertEquals(await held, [{ a: 1 }]);
});

Deno.test(
  "openPostgres() has the server end slow statements before the deadline",
  strict,
  async () => {
    await using database = await testDatabase();
    await database.db.query("select 1");
    const error = await failing("busy", () => database.db.query("select pg_sleep(60)"));
    assertEquals(error.sqlState, "57014");
    const [row] = await database.db.query("select current_setting('statement_timeout') as limit");
    assertEquals(row, { limit: "2750ms" });
  },
);

Deno.test("openPostgres() never opens more connections than allowed", strict, async () => {
  await using database = await testDatabase();
  await using db = openPostgres(database.url, { maxConnections: 3 });
  const pids = new Set(await backends(db, 9));
  assert(pids.size <= 3, `${pids.size} connections`);
});

Deno.test("openPostgres() survives the end of its idle connections", strict, async () => {
  await using database = await testDatabase();
  await using other = openPostgres(database.url);
  const pids = await backends(other, 3);
  await database.db.query("select pg_terminate_backend(pid) from unnest($1::int[]) pid", [pids]);
  // One may still be taken for alive
  await backends(other, 3).catch((error) => assertEquals(error.failure, "unknown"));
  const after = await backends(other, 3);
  assertEquals(after.filter((pid) => pids.includes(pid)), []);
});

Deno.test("openPostgres() prepares anew after the schema changed", strict, async () => {
  await using database = await testDatabase();
  await using db = openPostgres(database.url, { maxConnections: 1 });
  await db.query("create table t as select 1 as a");
  const read = () => db.query("select * from t");
  for (let i = 0; i < 3; i++) assertEquals(await read(), [{ a: 1 }]);
  await db.query("alter table t add column b int default 2");
  await failing("unavailable", read);
  assertEquals(await read(), [{ a: 1, b: 2 }]);
});

Deno.test("openPostgres() closes while connections are being opened", strict, async () => {
  await using database = await testDatabase();
  const db = openPostgres(database.url);
  const pending = failing("unavailable", () => db.query("select 1"));
  await db[Symbol.asyncDispose]();
  await pending;
});

Deno.test(
  "openPostgres() outlives a network that carries nothing for a while",
  strict,
  async () => {
    await using database = await testDatabase();
    const url = new URL(database.url);
    const proxy = startProxy(Number(url.port));
    url.port = String(proxy.port);
    {
      await using db = openPostgres(url.href);
      await db.query("create table t (a int)");
      await backends(db, 3);
      proxy.blackhole();
      const timeoutMs = 200;
      // On a connection that was there: it may have been stored. On a new one: it was not sent
      await failing("unknown", () => db.query("insert into t values (1)", [], { timeoutMs }));
      await failing("unavailable", () => db.query("insert into t values (2)", [], { timeoutMs }));
      proxy.heal();
      await db.query("insert into t values (3)");
      assertEquals(await db.query("select a from t where a > 1"), [{ a: 3 }]);
    }
    await proxy.close();
  },
);
