import { type Cluster, findServer, PROCESS, runProgram } from "./embedded_cluster.ts";
import { EmbeddedError } from "./embedded_error.ts";

/** Milliseconds until a started server must be ready: recovery after a crash may take long. */
const READY_MS = 60_000;
/** Milliseconds that an orderly stop may take before the server is told to stop at once. */
const STOP_MS = 2500;

/** A running server. */
export interface Server {
  /** Resolves when the server has ended, for whatever reason. */
  exited: Promise<void>;
  stop(): Promise<void>;
}

/** Starts the server of a cluster on `port` and waits until it takes connections. */
export async function startServer(cluster: Cluster, port: number): Promise<Server> {
  const logFile = `${cluster.run}/postgres.log`;
  const settings = Object.entries({ ...settingsOf(cluster.durable, port), ...cluster.settings });
  const args = settings.flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const server = Deno.build.os === "windows"
    ? await startWithControl(cluster, args, logFile)
    : spawnServer(cluster, args, logFile);
  let ended = false;
  void server.exited.then(() => ended = true);
  const end = performance.now() + READY_MS;
  while (!(await findServer(cluster.data))?.ready) {
    if (ended || performance.now() > end) {
      if (!ended) await server.stop();
      const tail = (await Deno.readTextFile(logFile).catch(() => "")).slice(-2000);
      throw new EmbeddedError(`Postgres did not start, see ${logFile}`, { cause: new Error(tail) });
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return server;
}

/**
 * The shell becomes Postgres. Before, it leaves a reader on our pipe behind, which interrupts
 * Postgres (an orderly stop) when the pipe closes: that is when this process ends by any means. A
 * line on the pipe lets the reader go instead. A session of its own keeps Ctrl-C from both.
 */
const GUARDED = `umask 077
exec 3<&0
(trap '' INT TERM HUP; { read -r line <&3 || kill -INT $$; } >/dev/null 2>&1 &)
log=$1; shift
exec "$0" "$@" </dev/null 3<&- >>"$log" 2>&1`;

function spawnServer(cluster: Cluster, args: string[], logFile: string): Server {
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", GUARDED, `${cluster.binaries}/bin/postgres`, logFile, "-D", cluster.data, ...args],
    cwd: cluster.run,
    stdin: "piped",
    stdout: "null",
    stderr: "null",
    detached: true,
    ...cluster.user,
    ...PROCESS,
  }).spawn();
  let ended = false;
  const exited = child.status.then(async () => {
    ended = true;
    const pipe = child.stdin.getWriter();
    await pipe.write(new TextEncoder().encode("\n")).catch(() => {});
    await pipe.close().catch(() => {});
  });
  return {
    exited,
    async stop() {
      if (!ended) child.kill("SIGINT");
      const impatience = setTimeout(() => ended || child.kill("SIGQUIT"), STOP_MS);
      await exited;
      clearTimeout(impatience);
    },
  };
}

/** Windows: `pg_ctl` gives up administrator rights for the server, and nothing watches over it. */
async function startWithControl(
  cluster: Cluster,
  args: string[],
  logFile: string,
): Promise<Server> {
  const at = ["-w", "-D", cluster.data];
  await runProgram(cluster, "pg_ctl", ["start", ...at, "-l", logFile, "-o", args.join(" ")]);
  const { promise: exited, resolve } = Promise.withResolvers<void>();
  return {
    exited,
    async stop() {
      await runProgram(cluster, "pg_ctl", ["stop", ...at, "-m", "fast"]);
      resolve();
    },
  };
}

function settingsOf(durable: boolean, port: number): Record<string, string> {
  const { os } = Deno.build;
  return {
    port: `${port}`,
    // Loopback with a random password: sockets are no faster here, and their paths may be too long
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    dynamic_shared_memory_type: os === "windows" ? "windows" : os === "linux" ? "mmap" : "posix",
    io_method: "sync", // no workers: small and quick to start
    autovacuum_worker_slots: "3",
    log_timezone: "UTC",
    timezone: "UTC",
    ...(durable ? KEPT : THROWN_AWAY),
  };
}

/** People's data on their own machine: small, and as safe as Postgres is anywhere. */
const KEPT = {
  max_connections: "100",
  shared_buffers: "32MB",
  max_wal_size: "256MB",
  min_wal_size: "32MB",
};

/** A cluster for tests, removed afterwards. */
const THROWN_AWAY = {
  max_connections: "300",
  shared_buffers: "128MB",
  max_wal_size: "1GB",
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  wal_level: "minimal",
  max_wal_senders: "0",
  autovacuum: "off",
};
