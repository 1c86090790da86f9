import { assert, assertEquals, assertRejects } from "@std/assert";
import { until } from "../../testing/until.ts";
import { type Database, DatabaseError, type DatabaseFailure } from "./mod.ts";

/** What the suite needs of an adapter; made anew for every test. */
export interface ContractSubject extends AsyncDisposable {
  /** A migrated database that nobody else uses. */
  db: Database;
  /** The same adapter, where nothing answers. */
  unreachable: Database;
}

/** Registers the tests that every adapter of Database must pass. */
export function testDatabaseContract(name: string, open: () => Promise<ContractSubject>): void {
  const test = (sentence: string, run: (subject: ContractSubject) => Promise<void>) =>
    Deno.test({
      name: `${name} ${sentence}`,
      sanitizeOps: true,
      sanitizeResources: true,
      sanitizeExit: true,
      async fn() {
        await using subject = await open();
        await run(subject);
      },
    });
  testValues(test);
  testFailures(test);
  testDeadlines(test);
}

type Test = (sentence: string, run: (subject: ContractSubject) => Promise<void>) => void;

function testValues(test: Test): void {
  test("reads every type that the schema uses", async ({ db }) => {
    const at = new Date("2026-02-03T04:05:06.789Z");
    const [row] = await db.query(
      `select $1::bigint as big, 7::int4 as small, 1.5::float8 as float, $2::timestamptz as at,
         $3::jsonb as json, $4::uuid as id, $5::boolean as yes, $6::text as text,
         null::text as nothing, array[$2]::timestamptz[] as times, date '2026-02-03' as day`,
      [
        2 ** 53 - 1,
        at,
        '{"a":[1,null]}',
        "0190a2b4-0000-7000-8000-000000000000",
        true,
        "ü'\"\\ 🙂",
      ],
    );
    assertEquals(row, {
      big: 2 ** 53 - 1,
      small: 7,
      float: 1.5,
      at,
      json: { a: [1, null] },
      id: "0190a2b4-0000-7000-8000-000000000000",
      yes: true,
      text: "ü'\"\\ 🙂",
      nothing: null,
      times: [at],
      day: "2026-02-03",
    });
  });

  test("sends and reads arrays with nulls, quotes and none at all", async ({ db }) => {
    const texts = ["", "null", 'a"b', "c\\d", "{e,f}", null, " g "];
    const [row] = await db.query(
      "select $1::text[] as texts, $2::bigint[] as numbers, $3::boolean[] as flags, $4::int[] as none",
      [texts, [1, null, -3], [true, null, false], []],
    );
    assertEquals(row, { texts, numbers: [1, null, -3], flags: [true, null, false], none: [] });
  });

  test("answers many queries at once, each with its own rows", async ({ db }) => {
    const numbers = Array.from({ length: 200 }, (_, n) => n);
    const rows = await Promise.all(
      numbers.map((n) =>
        db.query<{ n: number }>("select $1::int as n", [n], { timeoutMs: 30_000 })
      ),
    );
    assertEquals(rows.map(([row]) => row?.n), numbers);
  });

  test("answers a statement without rows with an empty list", async ({ db }) => {
    assertEquals(await db.query("create table t (a int)"), []);
    assertEquals(await db.query("insert into t values (1)"), []);
    assertEquals(await db.query("insert into t values (2) returning a"), [{ a: 2 }]);
  });

  test("runs a transaction in order and whole", async ({ db }) => {
    const results = await db.transaction([
      { text: "create table t (a int primary key)" },
      { text: "insert into t values ($1)", values: [1] },
      { text: "select a from t" },
    ]);
    assertEquals(results, [[], [], [{ a: 1 }]]);
    const error = await failing("rejected", () =>
      db.transaction([
        { text: "insert into t values ($1)", values: [2] },
        { text: "insert into t values ($1)", values: [1] },
      ]));
    assertEquals(error.sqlState, "23505");
    assertEquals(await db.query("select a from t"), [{ a: 1 }]);
  });
}

function testFailures(test: Test): void {
  test("calls data and statements that the database refuses rejected", async ({ db }) => {
    const refused = async (text: string, values: string[], sqlState: string) => {
      const error = await failing("rejected", () => db.query(text, values));
      assertEquals(error.sqlState, sqlState);
    };
    await refused("select $1::uuid", ["no uuid"], "22P02");
    await refused("select $1::jsonb", ["{"], "22P02");
    await refused("insert into instance (epoch) values ($1)", ["second"], "23505");
    await refused("selec", [], "42601");
    await refused("select $1::text", ["a\0b"], "22021");
    assertEquals(await db.query("select 1 as a"), [{ a: 1 }]);
  });

  test("calls a database that does not answer unavailable", async ({ unreachable }) => {
    await failing("unavailable", () => unreachable.query("select 1"));
    await failing("unavailable", () => unreachable.transaction([{ text: "select 1" }]));
  });

  test("calls a lock that stays held busy", async ({ db }) => {
    await db.query("create table t as select 1 as a");
    const holder = failing(
      "busy",
      () =>
        db.transaction([{ text: "update t set a = 2" }, { text: "select pg_sleep(60)" }], {
          timeoutMs: 60_000,
        }),
    );
    await until("the lock is held", async () => {
      const rows = await db.query(
        `select from pg_locks l join pg_class c on c.oid = l.relation
         where c.relname = 't' and l.mode = 'RowExclusiveLock' and l.granted`,
      );
      return rows.length > 0;
    });
    const error = await failing("busy", () => db.query("update t set a = 3"));
    assertEquals(error.sqlState, "55P03");
    await db.query(
      `select pg_cancel_backend(pid) from pg_stat_activity
       where datname = current_database() and wait_event = 'PgSleep'`,
    );
    assertEquals((await holder).sqlState, "57014");
    assertEquals(await db.query("select a from t"), [{ a: 1 }]);
  });

  test("calls a deadlock busy for one of the two", async ({ db }) => {
    await db.query("create table t as select n, 0 as a from generate_series(1, 2) n");
    const update = (n: number) => ({ text: "update t set a = a + 1 where n = $1", values: [n] });
    const pause = { text: "select pg_sleep(0.2)" };
    const failures: unknown[] = [];
    // They only meet when both begin within the pause
    for (let attempt = 0; attempt < 10 && failures.length === 0; attempt++) {
      const outcomes = await Promise.allSettled([
        db.transaction([update(1), pause, update(2)]),
        db.transaction([update(2), pause, update(1)]),
      ]);
      for (const one of outcomes) if (one.status === "rejected") failures.push(one.reason);
    }
    assert(failures.length > 0, "no deadlock came about");
    for (const error of failures) assertEquals((error as DatabaseError).failure, "busy");
  });

  test("calls a connection that ended under a statement unknown, and goes on", async ({ db }) => {
    await db.query("create table t (a int)");
    await failing("unknown", () => db.query("select pg_terminate_backend(pg_backend_pid())"));
    await failing("unknown", () =>
      db.transaction([
        { text: "insert into t values (1)" },
        { text: "select pg_terminate_backend(pg_backend_pid())" },
      ]));
    assertEquals(await db.query("select a from t"), []);
  });

  test("refuses everything after it was closed", async ({ db }) => {
    await db.query("select 1");
    await db[Symbol.asyncDispose]();
    await failing("unavailable", () => db.query("select 1"));
    await failing("unavailable", () => db.transaction([{ text: "select 1" }]));
  });
}

function testDeadlines(test: Test): void {
  test("ends a statement at its deadline as unknown, and goes on", async ({ db }) => {
    const sleep = "select pg_sleep(60)";
    // A query before each, so that a connection is there and the statement is really sent
    await db.query("select 1");
    await failing("unknown", () => db.query(sleep, [], { timeoutMs: 300 }));
    await db.query("select 1");
    await failing("unknown", () => db.transaction([{ text: sleep }], { timeoutMs: 300 }));
    assertEquals(await db.query("select 1 as a"), [{ a: 1 }]);
  });

  test("gives a statement the time that its caller allows", async ({ db }) => {
    const rows = await db.query("select 1 as a from pg_sleep(3.2)", [], { timeoutMs: 30_000 });
    assertEquals(rows, [{ a: 1 }]);
    assertEquals(await db.query("select 1 as a"), [{ a: 1 }]);
  });
}

/** Runs what must fail, and returns the error after checking its kind. */
export async function failing(
  failure: DatabaseFailure,
  run: () => Promise<unknown>,
): Promise<DatabaseError> {
  const error = await assertRejects(run, DatabaseError);
  assertEquals(error.failure, failure, `${error.failure}: ${error.message}`);
  return error;
}
