import { EmbeddedError } from "./embedded_error.ts";
import type { ServerUser } from "./embedded_user.ts";

/** Where one cluster and the programs for it are. */
export interface Cluster {
  /** The folder of `bin/postgres`. */
  binaries: string;
  /** Postgres's own data folder. */
  data: string;
  /** Password, port, and the server's log. */
  run: string;
  user: ServerUser;
  durable: boolean;
  settings: Record<string, string>;
}

/** What programs of Postgres see of the environment: nothing of ours, and a fixed locale and zone. */
export const PROCESS: Pick<Deno.CommandOptions, "clearEnv" | "env"> = {
  clearEnv: Deno.build.os !== "windows", // Windows programs need SystemRoot
  env: { LC_ALL: "C", TZ: "UTC" },
};

/** Makes the folders, and the cluster unless it is there. */
export async function prepareCluster(cluster: Cluster, log: (line: string) => void): Promise<void> {
  const { data, run, user } = cluster;
  for (const folder of [data, run]) {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    if (user) await Deno.chown(folder, user.uid, user.gid);
  }
  const password = `${run}/password`;
  if (await exists(`${data}/PG_VERSION`) && await exists(password)) return;
  log("Creating the database cluster…");
  // Without the password file, written last, this is the rest of a start that was killed half-way
  for await (const { name } of Deno.readDir(data)) {
    await Deno.remove(`${data}/${name}`, { recursive: true });
  }
  const draft = `${password}.new`;
  await Deno.writeTextFile(draft, crypto.randomUUID().replaceAll("-", ""), { mode: 0o600 });
  if (user) await Deno.chown(draft, user.uid, user.gid);
  await runProgram(cluster, "initdb", [
    ...["-D", data, "-U", "postgres", "-A", "scram-sha-256", `--pwfile=${draft}`, "-E", "UTF8"],
    // The same order of strings on every machine
    ...["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"],
    ...(cluster.durable ? [] : ["--no-sync"]),
  ]);
  await Deno.rename(draft, password);
}

/** Runs `initdb` or `pg_ctl` to its end. Throws EmbeddedError with what it printed. */
export async function runProgram(cluster: Cluster, name: string, args: string[]): Promise<void> {
  const suffix = Deno.build.os === "windows" ? ".exe" : "";
  const command = new Deno.Command(`${cluster.binaries}/bin/${name}${suffix}`, {
    args,
    cwd: cluster.run,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...cluster.user,
    ...PROCESS,
  });
  const { success, stdout, stderr } = await command.output().catch((cause) => {
    // A missing loader looks like a missing file: musl systems have none for these programs
    throw new EmbeddedError(`Postgres does not run on this system (${name})`, { cause });
  });
  if (success) return;
  const text = [stderr, stdout].map((bytes) => new TextDecoder().decode(bytes)).join("").trim();
  throw new EmbeddedError(`${name} failed: ${text}`);
}

/**
 * Clears away what a killed process left behind. The caller holds the lock of the cluster, so a
 * server that still runs is an orphan. A `postmaster.pid` whose number now belongs to a zombie or
 * to somebody else would make Postgres refuse to start: it gets an impossible number instead of
 * being removed, so that Postgres still checks for its shared memory.
 */
export async function clearRemains(cluster: Cluster): Promise<void> {
  const { data } = cluster;
  if (await findServer(data) !== undefined) {
    const stop = (mode: string) =>
      runProgram(cluster, "pg_ctl", ["stop", "-D", data, "-m", mode, "-t", "10"]);
    await stop("fast").catch(() => stop("immediate")).catch(() => {});
  }
  if (await findServer(data) !== undefined) {
    throw new EmbeddedError(`The Postgres left running in ${data} does not stop`);
  }
  const file = `${data}/postmaster.pid`;
  const left = await Deno.readTextFile(file).catch(() => "");
  if (left !== "") await Deno.writeTextFile(file, left.replace(/^\d+/, "2147483647"));
}

/** The server of a data folder as `postmaster.pid` tells, if its process lives; a zombie does not. */
export async function findServer(data: string): Promise<{ ready: boolean } | undefined> {
  const lines = (await Deno.readTextFile(`${data}/postmaster.pid`).catch(() => "")).split("\n");
  const pid = Number(lines[0]);
  if (!pid || !(await commandLine(pid)).includes("postgres")) return undefined;
  return { ready: lines[7]?.trim() === "ready" };
}

async function commandLine(pid: number): Promise<string> {
  if (Deno.build.os === "linux") {
    return await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
  }
  // Not known on Windows: a server is taken to live while its file is there
  if (Deno.build.os === "windows") return "postgres";
  const ps = new Deno.Command("/bin/ps", { args: ["-o", "command=", "-p", `${pid}`] });
  return new TextDecoder().decode((await ps.output()).stdout);
}

/** Whether there is something at `path`. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
