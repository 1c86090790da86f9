import { z } from "zod";
import { ConfigError } from "../config.ts";
import type { KeyMaterial } from "./keys.ts";

const content = z.object({
  jwtPrivateJwk: z.record(z.string(), z.unknown()),
  deviceKey: z.string(),
});

function pathIn(dataDir: string): string {
  return `${dataDir}/keys.json`;
}

/**
 * The keys kept in `<dataDir>/keys.json`; undefined when there is no file yet.
 *
 * @throws {ConfigError} when the file is not what writeKeyFile() writes
 */
export async function readKeyFile(dataDir: string): Promise<KeyMaterial | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(pathIn(dataDir));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  try {
    const { jwtPrivateJwk, deviceKey } = content.parse(JSON.parse(text));
    return { jwtPrivateJwk: JSON.stringify(jwtPrivateJwk), deviceKey };
  } catch {
    // The cause would quote the keys.
    throw new ConfigError(
      `${pathIn(dataDir)} is damaged. Restore it, or remove it: then everybody signs in again ` +
        "and every device needs new credentials",
    );
  }
}

/**
 * Keeps `keys` in `<dataDir>/keys.json`, readable by the owner only, unless the file is already
 * there. Returns what the file holds then: of several processes, the first one's keys.
 */
export async function writeKeyFile(dataDir: string, keys: KeyMaterial): Promise<KeyMaterial> {
  await Deno.mkdir(dataDir, { recursive: true });
  const draft = `${pathIn(dataDir)}.${crypto.randomUUID()}`;
  try {
    using file = await Deno.open(draft, { write: true, createNew: true, mode: 0o600 });
    const { deviceKey } = keys;
    const text = JSON.stringify(
      { jwtPrivateJwk: JSON.parse(keys.jwtPrivateJwk), deviceKey },
      null,
      2,
    );
    const bytes = new TextEncoder().encode(`${text}\n`);
    for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
    await file.sync();
    // A link, unlike a rename, fails when another process was faster.
    await Deno.link(draft, pathIn(dataDir));
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  } finally {
    await Deno.remove(draft).catch(() => {});
  }
  return (await readKeyFile(dataDir))!;
}
