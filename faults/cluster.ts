import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { generateKeys, type KeyMaterial } from "../lib/auth/keys.ts";
import { GENEROUS } from "../testing/backend.ts";
import { until } from "../testing/until.ts";
import { WorldFolder } from "./cluster_folder.ts";
import { WorldLinks } from "./cluster_links.ts";
import { type MainOptions, WorldBridge, WorldNode } from "./cluster_nodes.ts";
import { untilReachable, WorldPostgres } from "./cluster_postgres.ts";
import { onFreePort, portOf } from "./cluster_port.ts";
import type { WorldProcess } from "./cluster_process.ts";
import {
  createMosquitto,
  createRedis,
  type ServerOptions,
  type WorldServer,
} from "./cluster_servers.ts";
import { clusterTemplate } from "./cluster_template.ts";
import type { ExitRecord } from "./history.ts";
import type { LinkEnd, World } from "./world.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;
const PUBLIC_URL = "https://chat.example.org";
/** Milliseconds until everything answers after it was healed. */
const READY_MS = 30_000;

/** How a world is made. */
export interface WorldOptions {
  /** The seed of the run; it names the world's folder, nothing else. */
  seed?: number;
  /** The main.ts to run; another tree's for a planted bug. Default: this repository's. */
  main?: string;
  /** Told what takes long. */
  log?: (line: string) => void;
  /** Web nodes; default 3. */
  nodes?: number;
  /** Settings of all nodes and bridges, besides or instead of the world's own. */
  env?: Record<string, string>;
  /** Bridges, the first of which runs the workers too; default 2. */
  bridges?: number;
  /** A folder for what all processes write, kept after the end; absent: it goes away too. */
  dir?: string;
}

/** A world of processes on this machine. */
export class Cluster implements World {
  readonly nodes: WorldNode[] = [];
  readonly bridges: WorldBridge[] = [];
  readonly exits: ExitRecord[] = [];
  postgres!: WorldPostgres;
  redis!: WorldServer;
  mosquitto!: WorldServer;
  devicesUrl = "";
  readonly #links = new WorldLinks();
  readonly #startedAt = performance.now();

  private constructor(readonly folder: WorldFolder) {}

  /** See startWorld(). */
  static async start(options: WorldOptions): Promise<Cluster> {
    const world = new Cluster(await WorldFolder.create(options));
    try {
      await world.#start(options);
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The folder with `web1.err`, `postgres.out` and so on. */
  get logs(): string {
    return this.folder.logs;
  }

  now(): number {
    return performance.now() - this.#startedAt;
  }

  links(filter: { from?: LinkEnd; to?: LinkEnd }) {
    return this.#links.find(filter);
  }

  async activeBridge(): Promise<WorldBridge | undefined> {
    const [lease] = await this.postgres.query<{ term: number }>(
      "select term from leases where name = 'bridge:0' and expires_at > clock_timestamp()",
    );
    if (lease === undefined) return undefined;
    for (const bridge of this.bridges) if (await bridge.heldTerm(lease.term)) return bridge;
    return undefined;
  }

  async heal(): Promise<void> {
    this.#links.heal();
    for (const process of this.#processes()) process.resume();
    const start = async (process: WorldProcess) => {
      if (!process.running) await process.start();
    };
    await Promise.all([this.postgres, this.redis, this.mosquitto].map(start));
    await untilReachable(this.postgres);
    await Promise.all(
      this.nodes.filter((node) => node.skewed).map((node) => node.end("SIGINT")),
    );
    await Promise.all([...this.nodes, ...this.bridges].map(start));
    await this.#ready();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const kill = (process: WorldProcess) => process.end("SIGKILL");
    await Promise.all([...this.nodes, ...this.bridges].map(kill));
    await Promise.all([this.redis, this.mosquitto].map((server) => server && kill(server)));
    await this.postgres?.disconnect();
    this.postgres?.resume();
    await this.postgres?.end("SIGQUIT"); // SIGKILL would leave its children behind for a moment
    await this.#links[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }

  async #start({ main = MAIN, log = () => {}, nodes = 3, bridges = 2, env = {} }: WorldOptions) {
    const path = resolve(main);
    const [keys, account] = await Promise.all([
      generateKeys(),
      this.#startBroker(),
      this.#startRedis(),
      this.#startPostgres(pathToFileURL(path), log),
    ]);
    const devices = this.#links.add("devices", "devices", "mosquitto", portOf(this.mosquitto));
    this.devicesUrl = `mqtt://127.0.0.1:${devices.port}`;
    const settings = { ...environment(keys, this.devicesUrl), ...env };
    const shared = { ...settings, DATA_DIR: this.folder.path };
    for (let i = 1; i <= nodes; i++) this.#addNode(`web${i}`, path, shared);
    for (let i = 1; i <= bridges; i++) {
      const roles = i === 1 ? "bridge,workers" : "bridge";
      this.#addBridge(`bridge${i}`, path, { ...shared, ROLES: roles }, account);
    }
    await Promise.all([...this.nodes, ...this.bridges].map((process) => process.start()));
    await this.#ready();
  }

  #addNode(name: string, main: string, shared: Record<string, string>): void {
    const port = { value: 0 };
    const proxy = this.#links.add(
      "clients",
      "clients",
      "web",
      () => port.value,
      `clients->${name}`,
    );
    const env = {
      ...shared,
      ...this.#services(name, "web"),
      ROLES: "web",
      MQTT_URL: this.devicesUrl,
    };
    this.nodes.push(new WorldNode(this.#mainOptions(name, main, env), proxy, port));
  }

  #addBridge(
    name: string,
    main: string,
    shared: Record<string, string>,
    account: { username: string; password: string },
  ): void {
    const { port } = this.#links.add(name, "bridge", "mosquitto", portOf(this.mosquitto));
    const env = {
      ...shared,
      ...this.#services(name, "bridge"),
      MQTT_URL: `mqtt://127.0.0.1:${port}`,
      MQTT_USERNAME: account.username,
      MQTT_PASSWORD: account.password,
    };
    this.bridges.push(new WorldBridge(this.#mainOptions(name, main, env)));
  }

  /** Links of one process to what all need. */
  #services(name: string, from: "web" | "bridge"): Record<string, string> {
    const postgres = this.#links.add(name, from, "postgres", portOf(this.postgres));
    const redis = this.#links.add(name, from, "redis", portOf(this.redis));
    return {
      DATABASE_URL: this.postgres.urlAt(postgres.port),
      REDIS_URL: `redis://127.0.0.1:${redis.port}`,
    };
  }

  #mainOptions(name: string, main: string, env: Record<string, string>): MainOptions {
    return { name, main, env, ...this.#recorded(name) };
  }

  #recorded(name: string): Pick<MainOptions, "log" | "now" | "ended"> {
    return {
      log: `${this.logs}/${name}`,
      now: () => this.now(),
      ended: (record) => this.exits.push(record),
    };
  }

  async #startPostgres(main: URL, log: (line: string) => void): Promise<void> {
    const template = await clusterTemplate(new URL("./", main), log);
    await onFreePort(async (port) => {
      const folder = await this.folder.make(`postgres-${port}`);
      if (template.user) await Deno.chown(folder, template.user.uid, template.user.gid);
      const postgres = await WorldPostgres.create({
        template,
        folder,
        port,
        ...this.#recorded("postgres"),
      });
      return this.postgres = postgres;
    });
  }

  async #startRedis(): Promise<void> {
    await onFreePort(async (port) => this.redis = createRedis(await this.#server("redis", port)));
  }

  async #startBroker(): Promise<{ username: string; password: string }> {
    let account: { username: string; password: string } | undefined;
    await onFreePort(async (port) => {
      const { mosquitto, bridge } = await createMosquitto(await this.#server("mosquitto", port));
      account = bridge;
      return this.mosquitto = mosquitto;
    });
    return account!;
  }

  async #server(name: string, port: number): Promise<ServerOptions> {
    return { folder: await this.folder.make(`${name}-${port}`), port, ...this.#recorded(name) };
  }

  #processes(): WorldProcess[] {
    return [...this.nodes, ...this.bridges, this.postgres, this.redis, this.mosquitto];
  }

  async #ready(): Promise<void> {
    await until("every node is ready", async () => {
      const ready = await Promise.all(this.nodes.map((node) => node.isReady()));
      return ready.every(Boolean);
    }, READY_MS);
  }
}

/** What all processes of a world are told alike. */
function environment(keys: KeyMaterial, devicesUrl: string): Record<string, string> {
  return {
    PRODUCTION: "1",
    PUBLIC_URL,
    BEACON_SECONDS: "3",
    LOG_LEVEL: "info", // their log tells the suite who listens and which bridge is active
    JWT_PRIVATE_JWK: keys.jwtPrivateJwk,
    DEVICE_KEY: keys.deviceKey,
    DATABASE_DRIVER: "postgres",
    MQTT_PUBLIC_URL: devicesUrl,
    ...GENEROUS,
    LIMIT_SOCKETS_PER_PRINCIPAL: "1000",
  };
}

/**
 * Starts Postgres (fsync on), Redis, a Mosquitto as it is shipped, web nodes and bridges, each in a
 * process of its own, with a proxy on every link between them and to their clients. Resolves when
 * every node is ready. Needs `redis-server` and `mosquitto` on the PATH, and Linux.
 */
export function startWorld(options: WorldOptions = {}): Promise<Cluster> {
  return Cluster.start(options);
}
