import { tmpdir } from "node:os";
import { prepareFolder, serverUser } from "../lib/database/embedded_user.ts";
import { removeLeftovers } from "../testing/cluster.ts";

const PREFIX = "confab-faults-";

/** The folder of one world; it goes away with it, or when a later run finds it abandoned. */
export class WorldFolder implements AsyncDisposable {
  private constructor(
    readonly path: string,
    /** Its place in the folder for temporary files, in case `path` is elsewhere. */
    readonly made: string,
    /** Where what processes write is kept. */
    readonly logs: string,
    readonly lock: Deno.FsFile,
  ) {}

  /** `dir` for logs is made if needed and stays; without it what processes write goes away too. */
  static async create({ seed, dir }: { seed?: number; dir?: string }): Promise<WorldFolder> {
    await removeAbandonedFolders();
    const made = await Deno.makeTempDir({ dir: tmpdir(), prefix: `${PREFIX}${seed ?? 0}-` });
    const path = await prepareFolder(made, await serverUser());
    const lock = await Deno.open(`${made}/lock`, { create: true, write: true });
    await lock.lock(true);
    const kept = dir ?? `${path}/logs`;
    await Deno.mkdir(kept, { recursive: true });
    return new WorldFolder(path, made, await Deno.realPath(kept), lock);
  }

  /** A folder of its own for one process. */
  async make(name: string): Promise<string> {
    const folder = `${this.path}/${name}`;
    await Deno.mkdir(folder);
    return folder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.lock.close();
    await Deno.remove(this.path, { recursive: true });
    if (await Deno.realPath(this.made).catch(() => this.path) !== this.path) {
      await Deno.remove(this.made, { recursive: true });
    }
  }
}

/** Removes what runs that were killed have left behind. */
export async function removeAbandonedFolders(): Promise<void> {
  await removeLeftovers(tmpdir(), PREFIX);
}
