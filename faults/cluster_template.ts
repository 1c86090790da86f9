import { startEmbedded } from "../lib/database/embedded.ts";
import { installBinaries } from "../lib/database/embedded_binaries.ts";
import { prepareFolder, type ServerUser, serverUser } from "../lib/database/embedded_user.ts";
import { migrate, type Migration, readMigrations } from "../lib/database/migrate.ts";
import { openPostgres } from "../lib/database/postgres.ts";
import { BINARIES } from "../testing/cluster.ts";
import { createDatabase } from "../testing/database.ts";

const PREFIX = "faults-template-";
/** Templates that nobody has used for so long are removed. */
const KEPT_MS = 3_600_000;

/** A stopped Postgres cluster with a migrated database, to be copied. */
export interface ClusterTemplate {
  /** Where `bin/postgres` is. */
  binaries: string;
  user: ServerUser;
  /** Postgres's data folder. */
  data: string;
  password: string;
  /** The name of the migrated database. */
  database: string;
}

/**
 * Returns the cluster for a tree's migrations; it is made the first time and kept beside the
 * binaries, for all runs on this machine.
 *
 * @param root folder of the tree's main.ts, with the final slash
 */
export async function clusterTemplate(
  root: URL,
  log: (line: string) => void,
): Promise<ClusterTemplate> {
  const user = await serverUser();
  const shared = await prepareFolder(BINARIES, user);
  const binaries = await installBinaries(shared, log);
  const migrations = await readMigrations(new URL("lib/database/migrations/", root));
  const folder = `${shared}/${PREFIX}${await digestOf([binaries, ...migrations])}`;
  if (!await isThere(folder)) {
    log("Making the template of the database…");
    await make(folder, migrations);
    await removeUnused(shared, folder);
  }
  await Deno.utime(folder, new Date(), new Date());
  return {
    binaries,
    user,
    data: `${folder}/data`,
    password: await Deno.readTextFile(`${folder}/run/password`),
    database: await Deno.readTextFile(`${folder}/database`),
  };
}

/** Two runs may be here at once: each makes its own draft, and one of them becomes the template. */
async function make(folder: string, migrations: Migration[]): Promise<void> {
  const draft = `${folder}.${crypto.randomUUID()}`;
  const server = await startEmbedded({ dir: draft, bin: BINARIES });
  try {
    const database = await createDatabase(server.url);
    await using db = openPostgres(database.url);
    await migrate(db, migrations);
    await Deno.writeTextFile(`${draft}/database`, database.name);
  } finally {
    await server.stop();
  }
  await Deno.rename(draft, folder).catch(async (error) => {
    await Deno.remove(draft, { recursive: true });
    if (!await isThere(folder)) throw error;
  });
}

async function removeUnused(shared: string, used: string): Promise<void> {
  for await (const { name } of Deno.readDir(shared)) {
    const folder = `${shared}/${name}`;
    if (!name.startsWith(PREFIX) || folder === used) continue;
    const { mtime } = await Deno.stat(folder).catch(() => ({ mtime: null }));
    if (mtime === null || Date.now() - mtime.getTime() < KEPT_MS) continue;
    await Deno.remove(folder, { recursive: true }).catch(() => {}); // another run does the same
  }
}

async function digestOf(parts: (string | Migration)[]): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(parts));
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest, 0, 8), (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
