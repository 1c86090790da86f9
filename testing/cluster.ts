import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { startEmbedded } from "../lib/database/embedded.ts";

/** Where the binaries stay between runs; embedded mode keeps them in the same place. */
export const BINARIES = new URL("../.data/postgres", import.meta.url).pathname;

const PREFIX = "confab-test-";
const MEMORY = "/dev/shm";
/** Bytes that must be free in memory for a cluster with many copies of the template. */
const ROOM_BYTES = 2 * 1024 ** 3;

/**
 * Starts a cluster for one test run, in memory where there is room: nothing of it survives, so it
 * never waits for a disk.
 */
export async function startTestCluster(): Promise<AsyncDisposable & { url: string }> {
  const parent = roomIn(MEMORY) >= ROOM_BYTES ? MEMORY : tmpdir();
  await removeLeftovers(parent, PREFIX);
  const dir = await Deno.makeTempDir({ dir: parent, prefix: PREFIX });
  const remove = () => Deno.remove(dir, { recursive: true });
  try {
    // deno-lint-ignore no-console -- a test run says what it waits for
    const postgres = await startEmbedded({ dir, durable: false, bin: BINARIES, log: console.log });
    return {
      url: postgres.url,
      async [Symbol.asyncDispose]() {
        await postgres.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Free bytes in a folder; 0 when it is not there. */
function roomIn(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return Number(bavail) * Number(bsize);
  } catch {
    return 0;
  }
}

/** Removes clusters in `parent`, named with `prefix`, of runs that were killed: nobody holds their lock. */
export async function removeLeftovers(parent: string, prefix: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(parent)) {
    if (!isDirectory || !name.startsWith(prefix)) continue;
    const lock = await Deno.open(`${parent}/${name}/lock`, { write: true }).catch(() => undefined);
    if (lock === undefined) continue; // being made, or not ours to read
    if (await lock.tryLock(true)) {
      await Deno.remove(`${parent}/${name}`, { recursive: true }).catch(() => {});
    }
    lock.close();
  }
}
