import { EmbeddedError } from "./embedded_error.ts";

/** Whom Postgres runs as: undefined is the user of this process. */
export type ServerUser = { uid: number; gid: number } | undefined;

/** Below it lie the files that a project in a private folder cannot hold. */
const FALLBACK = "/var/lib";

/** Postgres refuses to run as root, so root's runs as nobody. */
export async function serverUser(): Promise<ServerUser> {
  if (Deno.build.os === "windows" || Deno.uid() !== 0) return undefined;
  const passwd = await Deno.readTextFile("/etc/passwd").catch(() => "");
  const fields = passwd.split("\n").find((line) => line.startsWith("nobody:"))?.split(":");
  if (fields === undefined) {
    throw new EmbeddedError("Postgres does not run as root, and there is no user nobody");
  }
  return { uid: Number(fields[2]), gid: Number(fields[3]) };
}

/**
 * Makes `folder` if needed and returns where its files really go. That is elsewhere when the
 * server's user cannot enter it: then a file MOVED in `folder` says where, always the same place.
 */
export async function prepareFolder(folder: string, user: ServerUser): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  const wanted = await Deno.realPath(folder);
  if (user === undefined) return wanted;
  if (await canEnter(wanted, user.uid)) {
    await Deno.chmod(wanted, 0o755); // what is private in it has folders of its own
    return wanted;
  }
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(wanted));
  const id = Array.from(new Uint8Array(digest, 0, 8), (b) => b.toString(16).padStart(2, "0"));
  const other = `${FALLBACK}/confab-${id.join("")}`;
  await Deno.mkdir(other, { mode: 0o755 }).catch((error) => {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  });
  const found = await Deno.lstat(other);
  if (!found.isDirectory || found.uid !== 0) {
    throw new EmbeddedError(`${other} exists and is not root's folder`);
  }
  const note = `The files are in ${other}: user nobody cannot enter this folder.\n`;
  await Deno.writeTextFile(`${wanted}/MOVED`, note);
  return other;
}

/** Whether `uid` may pass through every folder above `path`. */
async function canEnter(path: string, uid: number): Promise<boolean> {
  for (let above = parent(path); above !== ""; above = parent(above)) {
    const { mode, uid: owner } = await Deno.stat(above);
    const allowed = (mode! & 0o001) !== 0 || (owner === uid && (mode! & 0o100) !== 0);
    if (!allowed) return false;
  }
  return true;
}

function parent(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
