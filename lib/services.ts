import { type AuthContext, createAuth, type Keys, loadKeys, syncRevocations } from "./auth/mod.ts";
import type { Bus } from "./bus/mod.ts";
import { Appender } from "./chat/appender.ts";
import type { ChatContext } from "./chat/context.ts";
import type { Config } from "./config.ts";
import { migrate } from "./database/migrate.ts";
import type { Database } from "./database/mod.ts";
import { Lanes } from "./lanes.ts";
import type { Limits } from "./limits/mod.ts";
import { Quota } from "./limits/quota.ts";
import type { Log } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { type Presence, presenceTimes } from "./presence/mod.ts";
import type { Redis } from "./redis/mod.ts";
import { checkDatabase } from "./store/alive.ts";
import { readHeads } from "./store/log.ts";
import { within } from "./within.ts";

/** Milliseconds that sends without a caller may take to end, when everything closes. */
const FINISH_MS = 400;

/** Everything the roles work with, chosen by the configuration. Disposing closes it in reverse. */
export interface Services extends AsyncDisposable {
  config: Config;
  log: Log;
  metrics: Metrics;
  db: Database;
  bus: Bus;
  redis: Redis | undefined;
  keys: Keys;
  auth: AuthContext;
  chat: ChatContext;
  /** The epoch in force, as far as this process knows. */
  epoch: { value: string };
  /** False while the link to the other nodes is down. */
  busIsUp: () => boolean;
  /**
   * Resolves when the epoch is known and which tokens were revoked before this process began, and
   * throws when the database does not tell. On Deno Deploy a node listens before that, and its
   * schema is brought up to date by `deno task db:migrate`.
   */
  ready(): Promise<void>;
  /** Asks each service whether it answers; a rejection says that it does not. */
  checks: Record<string, () => Promise<void>>;
  /** Which adapters were chosen, for people. */
  choices: Record<string, string>;
}

/** How embedded services tell how far they are. */
export interface OpenOptions {
  log: Log;
  progress?: (line: string) => void;
}

/**
 * Opens what the configuration chooses: the only place where adapters are named. Whatever was
 * opened before something failed is closed again.
 */
export async function openServices(config: Config, options: OpenOptions): Promise<Services> {
  await using stack = new AsyncDisposableStack();
  const { log } = options;
  const { db } = stack.use(await openDatabase(config, options));
  if (!config.onDeploy) await migrate(db);
  const redis = await openRedisOf(config, log);
  if (redis !== undefined) stack.use(redis);
  const bus = stack.use(await openBus(config, redis, log));
  const limits = stack.use(await openLimits(config, redis, log));
  const presence = stack.use(await openPresence(config, redis, log));
  const keys = await loadKeys(
    config.keys,
    config.database.driver === "embedded" ? config.dataDir : undefined,
  );
  const epoch = { value: "" };
  const metrics = new Metrics();
  const appender: Appender = new Appender(db, bus, {
    epoch: () => epoch.value,
    committed: appendMetrics(metrics, () => appender.waiting),
  });
  stack.defer(() => within(FINISH_MS, appender.idle()));
  const { sendsPerSecond, sendBurst } = config.limits;
  const sends = new Quota({ perSecond: sendsPerSecond, burst: sendBurst });
  const auth = stack.use(createAuth({
    db,
    keys,
    issuer: config.publicUrl ?? "confab",
    limits,
    loginsPerMinute: config.limits.loginsPerMinute,
    revoke: (revocation) => bus.revoke(revocation),
  }));
  const ready = once(async () => {
    const [found] = await Promise.all([readHeads(db, []), syncRevocations(auth)]);
    epoch.value ||= found.epoch;
  });
  if (!config.onDeploy) await ready();
  let up = true;
  bus.listen({ revoked: () => {}, resumed: () => {}, connected: (now) => up = now });
  const opened = stack.move();
  return {
    config,
    log,
    metrics,
    db,
    bus,
    redis,
    keys,
    auth,
    chat: { db, bus, presence, appender, sends, wishes: new Lanes(), log },
    epoch,
    busIsUp: () => up,
    checks: checksOf(db, redis, () => up),
    choices: choicesOf(config),
    ready,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function checksOf(
  db: Database,
  redis: Redis | undefined,
  busIsUp: () => boolean,
): Services["checks"] {
  return {
    database: () => checkDatabase(db),
    ...(redis !== undefined && {
      redis: async () => {
        await redis.command(["PING"]);
        if (!busIsUp()) throw new Error("The bus is down");
      },
    }),
  };
}

/** The chosen adapters, without secrets. */
function choicesOf({ database, redis, mqtt }: Config): Record<string, string> {
  return {
    database: database.driver,
    bus: redis.driver === "none" ? "in process" : `redis (${redis.driver})`,
    broker: mqtt.broker === undefined ? "embedded" : new URL(mqtt.broker.url).host,
  };
}

interface OpenDatabase extends AsyncDisposable {
  db: Database;
}

async function openDatabase(config: Config, options: OpenOptions): Promise<OpenDatabase> {
  const { database } = config;
  const { log } = options;
  if (database.driver === "neon") {
    const { openNeon } = await import("./database/neon.ts");
    const { url, fetchEndpoint } = database;
    const db = openNeon(url, fetchEndpoint === undefined ? {} : { fetchEndpoint });
    return { db, [Symbol.asyncDispose]: () => db[Symbol.asyncDispose]() };
  }
  const { openPostgres } = await import("./database/postgres.ts");
  if (database.driver === "postgres") {
    const db = openPostgres(database.url, { log });
    return { db, [Symbol.asyncDispose]: () => db[Symbol.asyncDispose]() };
  }
  const { startEmbedded } = await import("./database/embedded.ts");
  const server = await startEmbedded({
    dir: `${config.dataDir}/postgres`,
    ...(options.progress === undefined ? {} : { log: options.progress }),
  });
  const db = openPostgres(server.url, { log });
  return {
    db,
    async [Symbol.asyncDispose]() {
      await db[Symbol.asyncDispose]();
      await server.stop();
    },
  };
}

async function openRedisOf({ redis }: Config, log: Log): Promise<Redis | undefined> {
  if (redis.driver === "tcp") {
    const { openRedis } = await import("./redis/tcp.ts");
    return await openRedis(redis.url, { log });
  }
  if (redis.driver === "upstash") {
    const { openUpstash } = await import("./redis/upstash.ts");
    return openUpstash(redis.url, redis.token, { log });
  }
  return undefined;
}

async function openBus({ redis: choice }: Config, redis: Redis | undefined, log: Log) {
  if (redis === undefined || choice.driver === "none") {
    const { createMemoryBus } = await import("./bus/memory.ts");
    return createMemoryBus({ log });
  }
  const { createRedisBus } = await import("./bus/redis.ts");
  return createRedisBus(redis, { prefix: choice.prefix, log });
}

async function openLimits(
  { redis: choice }: Config,
  redis: Redis | undefined,
  log: Log,
): Promise<Limits> {
  if (redis === undefined || choice.driver === "none") {
    const { createMemoryLimits } = await import("./limits/memory.ts");
    return createMemoryLimits();
  }
  const { createRedisLimits } = await import("./limits/redis.ts");
  return createRedisLimits(redis, { prefix: choice.prefix, log });
}

async function openPresence(
  { redis: choice, presenceLeaseSeconds }: Config,
  redis: Redis | undefined,
  log: Log,
): Promise<Presence> {
  const times = presenceTimes(presenceLeaseSeconds);
  if (redis === undefined || choice.driver === "none") {
    const { createMemoryPresence } = await import("./presence/memory.ts");
    return createMemoryPresence(times);
  }
  const { createRedisPresence } = await import("./presence/redis.ts");
  return createRedisPresence(redis, { prefix: choice.prefix, log, times });
}

/** Runs `work` until it has succeeded once; calls at the same time share one run. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () =>
    done ??= work().catch((error) => {
      done = undefined;
      throw error;
    });
}

function appendMetrics(metrics: Metrics, waiting: () => number) {
  const sends = metrics.counter("confab_sends_total", "Sends that the database has judged");
  const seconds = metrics.histogram("confab_commit_seconds", "Seconds of one group commit");
  metrics.gauge("confab_sends_waiting", "Sends that wait for their commit", waiting);
  return (count: number, took: number) => {
    sends.add([], count);
    seconds.observe(took);
  };
}
