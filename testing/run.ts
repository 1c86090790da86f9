/**
 * Runs the tests against one migrated template database: `deno task test [files and flags]`.
 * DENO_JOBS says how many files run at once (all cores when absent). The server is one of our own
 * for this run, or that of TEST_DATABASE_URL, where the user must be allowed to create databases.
 */
import { migrate } from "../lib/database/migrate.ts";
import { openPostgres } from "../lib/database/postgres.ts";
import { startTestCluster } from "./cluster.ts";
import { createDatabase } from "./database.ts";

/** Returns the exit code of `deno test`. */
async function runTests(server: string, args: string[]): Promise<number> {
  await using template = await createDatabase(server);
  {
    // Closed before the tests start: a database somebody uses cannot be copied
    await using db = openPostgres(template.url);
    await migrate(db);
  }
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--parallel", ...args],
    env: { TEST_DATABASE_URL: server, TEST_TEMPLATE: template.name },
  }).spawn();
  const forward = (signal: Deno.Signal) => () => child.kill(signal);
  const listeners = (["SIGINT", "SIGTERM"] as const).map((name) => [name, forward(name)] as const);
  for (const [name, listener] of listeners) Deno.addSignalListener(name, listener);
  const { code } = await child.status;
  for (const [name, listener] of listeners) Deno.removeSignalListener(name, listener);
  return code;
}

async function main(): Promise<number> {
  const given = Deno.env.get("TEST_DATABASE_URL");
  if (given) return await runTests(given, Deno.args);
  await using cluster = await startTestCluster();
  return await runTests(cluster.url, Deno.args);
}

if (import.meta.main) Deno.exit(await main());
