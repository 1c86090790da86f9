import { resolve } from "node:path";
import { installBinaries } from "./embedded_binaries.ts";
import { clearRemains, type Cluster, prepareCluster } from "./embedded_cluster.ts";
import { EmbeddedError } from "./embedded_error.ts";
import { startServer } from "./embedded_server.ts";
import { prepareFolder, serverUser } from "./embedded_user.ts";

/** Milliseconds that another process has to let go of the cluster: it may be stopping. */
const LOCK_MS = 5000;
/** Ports are taken below 32768, where no outgoing connection gets in the way. */
const PORTS = { first: 20_000, count: 12_000 };

/** Options of startEmbedded(). */
export interface EmbeddedOptions {
  /** Folder of the cluster, made if needed; it holds everything, also between starts. */
  dir: string;
  /** False gives up safety for speed, for tests; true by default. */
  durable?: boolean;
  /** Folder of the binaries, to share them between clusters; `dir` by default. */
  bin?: string;
  /** Settings of Postgres that win over the small ones for one person's machine. */
  settings?: Record<string, string>;
  /** Told what takes long, one line at a time. */
  log?: (line: string) => void;
}

/** A Postgres that this process runs. */
export interface EmbeddedPostgres {
  /** `postgres://postgres:…@127.0.0.1:…/postgres`, the same at the next start when the port is free. */
  url: string;
  /** Stops the server in an orderly way, within three seconds. */
  stop(): Promise<void>;
  /** Resolves when the server has ended, for whatever reason. */
  exited: Promise<void>;
}

/**
 * Starts a real Postgres 18 with nothing installed: the binaries come from npm. The server ends
 * with this process, however that ends; what it had committed is there at the next start. One
 * process at a time may run a cluster. Meant for development and tests.
 *
 * @throws {EmbeddedError} where no Postgres can run, or another process runs this one
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const log = options.log ?? (() => {});
  const user = await serverUser();
  const folder = await prepareFolder(resolve(options.dir), user);
  const lock = await lockFolder(folder);
  try {
    const shared = options.bin === undefined ? folder : await prepareFolder(
      resolve(options.bin),
      user,
    );
    const cluster: Cluster = {
      binaries: await installBinaries(shared, log),
      data: `${folder}/data`,
      run: `${folder}/run`,
      user,
      durable: options.durable ?? true,
      settings: options.settings ?? {},
    };
    await prepareCluster(cluster, log);
    await clearRemains(cluster);
    const port = await choosePort(`${cluster.run}/port`);
    const password = await Deno.readTextFile(`${cluster.run}/password`);
    const server = await startServer(cluster, port);
    return {
      url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
      exited: server.exited,
      async stop() {
        await server.stop();
        lock[Symbol.dispose]();
      },
    };
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

/** Held by this process until it ends, however it ends; the file itself stays. */
async function lockFolder(folder: string): Promise<Disposable> {
  const file = await Deno.open(`${folder}/lock`, { create: true, write: true });
  const end = performance.now() + LOCK_MS;
  while (!await file.tryLock(true)) {
    if (performance.now() > end) {
      file.close();
      throw new EmbeddedError(`Another process runs the Postgres in ${folder}; stop it first`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  let open = true;
  return {
    [Symbol.dispose]() {
      if (open) file.close();
      open = false;
    },
  };
}

/** The port of the last start, or a random one when that is taken. */
async function choosePort(file: string): Promise<number> {
  const saved = Number(await Deno.readTextFile(file).catch(() => ""));
  for (let attempt = 0; attempt < 50; attempt++) {
    const random = PORTS.first + Math.floor(Math.random() * PORTS.count);
    const port = attempt === 0 && saved > 0 ? saved : random;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse) continue;
      throw error;
    }
    await Deno.writeTextFile(file, `${port}`);
    return port;
  }
  throw new EmbeddedError("No free port was found on 127.0.0.1");
}
