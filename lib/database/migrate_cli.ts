/** `deno task db:migrate`: brings the database of DATABASE_URL, or the embedded one, up to date. */
import { type Config, readConfig } from "../config.ts";
import { migrate } from "./migrate.ts";
import type { Database } from "./mod.ts";

/** Opens the database that the configuration chooses, an embedded one for this command alone. */
async function open({ database, dataDir }: Config): Promise<Database> {
  if (database.driver === "neon") {
    const { openNeon } = await import("./neon.ts");
    const { url, fetchEndpoint } = database;
    return openNeon(url, { ...(fetchEndpoint !== undefined && { fetchEndpoint }) });
  }
  const { openPostgres } = await import("./postgres.ts");
  if (database.driver === "postgres") return openPostgres(database.url);
  const { startEmbedded } = await import("./embedded.ts");
  const server = await startEmbedded({ dir: `${dataDir}/postgres`, log: print });
  const db = openPostgres(server.url);
  return {
    query: db.query.bind(db),
    transaction: db.transaction.bind(db),
    async [Symbol.asyncDispose]() {
      await db[Symbol.asyncDispose]();
      await server.stop();
    },
  };
}

function print(line: string): void {
  // deno-lint-ignore no-console -- the output of a command
  console.log(line);
}

if (import.meta.main) {
  const config = readConfig(Deno.env.toObject());
  await using db = await open(config);
  const { applied } = await migrate(db);
  for (const name of applied) print(`Applied ${name}`);
  if (applied.length === 0) print("Nothing to apply");
}
