import { type Database, DatabaseError, type SqlValue } from "../lib/database/mod.ts";
import { PROCESS } from "../lib/database/embedded_cluster.ts";
import { openPostgres } from "../lib/database/postgres.ts";
import { until } from "../testing/until.ts";
import { type Program, WorldProcess } from "./cluster_process.ts";
import type { ClusterTemplate } from "./cluster_template.ts";
import type { ExitRecord } from "./history.ts";
import type { PostgresHandle } from "./world.ts";

/** As our own connections call themselves; they are never terminated. */
const OURS = "faults";
/** Milliseconds for a statement of the suite; a checker reads whole tables. */
const TIMEOUT_MS = 20_000;

/** Settings of the server. What decides about durability is left as Postgres ships it. */
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  dynamic_shared_memory_type: Deno.build.os === "linux" ? "mmap" : "posix",
  io_method: "sync",
  max_connections: "200",
  shared_buffers: "64MB",
  log_timezone: "UTC",
  timezone: "UTC",
};

/** What the database of a world is made of. */
export interface PostgresOptions {
  template: ClusterTemplate;
  /** An empty folder below which the server's user may enter. */
  folder: string;
  port: number;
  log: string;
  now(): number;
  ended(record: ExitRecord): void;
}

/** A Postgres of our own, with fsync. */
export class WorldPostgres extends WorldProcess implements PostgresHandle {
  readonly url: string;
  /** The URL without the host, for links: `(port) => url`. */
  readonly urlAt: (port: number) => string;
  readonly #db: Database;
  readonly #data: string;

  private constructor(options: PostgresOptions, data: string) {
    const { template, port } = options;
    super({
      name: "postgres",
      log: options.log,
      program: () => programOf(template, data, port),
      answers: () => this.#answers(),
      now: options.now,
      ended: options.ended,
      lastSignal: "QUIT",
    });
    this.#data = data;
    this.urlAt = (at) =>
      `postgres://postgres:${template.password}@127.0.0.1:${at}/${template.database}`;
    this.url = this.urlAt(port);
    this.#db = openPostgres(`${this.url}?application_name=${OURS}`, { maxConnections: 6 });
  }

  /** Copies the template; the server is started by `start()`. */
  static async create(options: PostgresOptions): Promise<WorldPostgres> {
    const { template: { data, user }, folder, log } = options;
    // Copies on write where the file system can, and keeps owner and mode
    const copy = new Deno.Command("cp", { args: ["-a", data, `${folder}/data`] });
    const { success, stderr } = await copy.output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    for (const file of [`${log}.out`, `${log}.err`]) {
      await Deno.writeTextFile(file, "", { append: true });
      if (user) await Deno.chown(file, user.uid, user.gid);
    }
    return new WorldPostgres(options, `${folder}/data`);
  }

  async restartImmediately(): Promise<void> {
    await this.end("SIGQUIT");
    await this.start();
  }

  async terminateBackends(): Promise<number> {
    const rows = await this.query<{ ended: boolean }>(
      `select pg_terminate_backend(pid) as ended from pg_stat_activity
       where backend_type = 'client backend' and application_name <> $1`,
      [OURS],
    );
    return rows.filter(({ ended }) => ended).length;
  }

  async lockRoom(room: string, ms: number): Promise<{ locks: number; waiters: number }> {
    let over = false;
    const holding = this.#hold(room, ms).finally(() => over = true);
    const seen = { locks: 0, waiters: 0 };
    const watching = (async () => {
      while (!over) {
        const [now] = await this.query<{ locks: string; waiters: string }>(SEEN, [OURS, room]);
        seen.locks = Math.max(seen.locks, Number(now?.locks ?? 0));
        seen.waiters = Math.max(seen.waiters, Number(now?.waiters ?? 0));
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    })();
    await Promise.all([holding, watching]);
    return seen;
  }

  async query<Row>(sql: string, parameters: unknown[] = []): Promise<Row[]> {
    const values = parameters as SqlValue[];
    const run = () => this.#db.query(sql, values, { timeoutMs: TIMEOUT_MS });
    const rows = await run().catch((error) => {
      // The first connection after a restart may be one from before
      if (error instanceof DatabaseError && error.failure === "unavailable") return run();
      throw error;
    });
    return rows as Row[];
  }

  /** Closes our own connections. */
  async disconnect(): Promise<void> {
    await this.#db[Symbol.asyncDispose]();
  }

  async #hold(room: string, ms: number): Promise<void> {
    await this.#db.transaction([
      { text: "select set_config('statement_timeout', $1, true)", values: [`${ms + TIMEOUT_MS}`] },
      { text: "select set_config('lock_timeout', $1, true)", values: [`${TIMEOUT_MS}`] },
      {
        text: "select id as faults_locked_room from rooms where id = $1 for update",
        values: [room],
      },
      { text: "select pg_sleep($1::float8 / 1000) as faults_holds, $2::text", values: [ms, room] },
    ], { timeoutMs: ms + TIMEOUT_MS });
  }

  async #answers(): Promise<boolean> {
    try {
      const [row] = await this.#db.query("show data_directory", [], { timeoutMs: 1000 });
      return row?.data_directory === this.#data;
    } catch {
      return false;
    }
  }
}

/** Row locks show in pg_locks as RowShareLock on the table, held by the sleeping backend. */
const SEEN = `
select count(*) filter (where l.mode = 'RowShareLock' and l.granted) as locks,
  (select count(*) from pg_stat_activity w where a.pid = any (pg_blocking_pids(w.pid))) as waiters
from pg_stat_activity a join pg_locks l on l.pid = a.pid and l.relation = 'rooms'::regclass
where a.application_name = $1 and a.query like '%faults_holds%' and a.wait_event = 'PgSleep'
  and exists (select from rooms where id = $2)
group by a.pid`;

function programOf(template: ClusterTemplate, data: string, port: number): Program {
  const settings = Object.entries({ ...SETTINGS, port: `${port}` });
  return {
    command: `${template.binaries}/bin/postgres`,
    args: ["-D", data, ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    env: PROCESS.env!,
    cwd: data.slice(0, data.lastIndexOf("/")),
    user: template.user,
  };
}

/** Resolves when the database is reachable for the suite. */
export async function untilReachable(postgres: PostgresHandle): Promise<void> {
  await until(
    "the database answers",
    () => postgres.query("select 1").then(() => true, () => false),
    30_000,
  );
}
