/** `deno task db:migrate`: brings the database of DATABASE_URL, or the embedded one, up to date. */
import { readConfig } from "../config.ts";
import { migrate } from "./migrate.ts";
import type { Database } from "./mod.ts";

/** Opens the database that the configuration chooses. */
async function open(database: ReturnType<typeof readConfig>["database"]): Promise<Database> {
  if (database.driver === "neon") {
    const { openNeon } = await import("./neon.ts");
    const { url, fetchEndpoint } = database;
    return openNeon(url, { ...(fetchEndpoint !== undefined && { fetchEndpoint }) });
  }
  const { openPostgres } = await import("./postgres.ts");
  if (database.driver === "postgres") return openPostgres(database.url);
  throw new Error("The embedded database is brought up to date at every start; set DATABASE_URL");
}

if (import.meta.main) {
  const config = readConfig(Deno.env.toObject());
  await using db = await open(config.database);
  const { applied } = await migrate(db);
  const lines = applied.length > 0 ? applied.map((name) => `Applied ${name}`) : ["Up to date"];
  // deno-lint-ignore no-console -- the output of a command
  console.log(lines.join("\n"));
}
