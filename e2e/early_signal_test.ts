import { assertStringIncludes } from "@std/assert";
import { generateKeys } from "../lib/auth/keys.ts";
import { testDatabase } from "../testing/database.ts";
import { until } from "../testing/until.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const MAIN = new URL("../main.ts", import.meta.url).pathname;
/** The key under which migrations run, see lib/database/migrate.ts. */
const LOCK = 6_044_517_221;

Deno.test("a process that is asked to stop while it starts ends in time", strict, async () => {
  await using database = await testDatabase();
  const { db } = database;
  await db.query("select pg_advisory_lock($1)", [LOCK]);
  const { jwtPrivateJwk, deviceKey } = await generateKeys();
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", MAIN],
    env: {
      DATABASE_URL: database.url,
      DATABASE_DRIVER: "postgres",
      JWT_PRIVATE_JWK: jwtPrivateJwk,
      DEVICE_KEY: deviceKey,
      LOG_LEVEL: "error",
    },
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let ended = false;
  const output = process.output().finally(() => ended = true);
  try {
    await until("it waits for the migrations of another process", async () => {
      const waiting = await db.query(
        "select from pg_locks where locktype = 'advisory' and not granted and database = " +
          "(select oid from pg_database where datname = current_database())",
      );
      return waiting.length > 0;
    }, 30_000);
    process.kill("SIGTERM");
    await until("it has ended", () => ended, 15_000);
  } finally {
    if (!ended) process.kill("SIGKILL");
  }
  const { stderr } = await output;
  assertStringIncludes(new TextDecoder().decode(stderr), "Leaving took too long");
});
