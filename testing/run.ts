/**
 * Runs the tests against one migrated template database: `deno task test [files and flags]`.
 * DENO_JOBS says how many files run at once (all cores when absent), TEST_DATABASE_URL which
 * server is used.
 */
import { migrate } from "../lib/database/migrate.ts";
import { openPostgres } from "../lib/database/postgres.ts";
import { createDatabase } from "./database.ts";

async function runTests(server: string, args: string[]): Promise<number> {
  await using template = await createDatabase(server);
  {
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

if (import.meta.main) {
  const server = Deno.env.get("TEST_DATABASE_URL");
  if (!server) throw new Error("Set TEST_DATABASE_URL");
  Deno.exit(await runTests(server, Deno.args));
}
