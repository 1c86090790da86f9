import { z } from "zod";
import type { LogLevel } from "./log.ts";
import type { Limits } from "./protocol.ts";
import { SIZES } from "./protocol.ts";

/**
 * The one reader of the environment. Every variable is optional in embedded mode; contradictions
 * are refused at start with the variable's name. An empty value counts as absent.
 */

const port = z.coerce.number().int().min(0).max(65535);
const count = (fallback: number, min = 1) => z.coerce.number().int().min(min).default(fallback);
const flag = z.enum(["0", "1", "true", "false"]).transform((v) => v === "1" || v === "true");
const secret = z.string().min(1);

/** The roles that one process can play. */
export const ROLES = ["web", "workers", "bridge"] as const;
/** One of `web`, `workers`, `bridge`. */
export type Role = typeof ROLES[number];

const roles = z.string().transform((value, context): Role[] => {
  const names = value.split(",").map((name) => name.trim()).filter((name) => name !== "");
  for (const name of names) {
    if (!(ROLES as readonly string[]).includes(name)) {
      context.addIssue(`may only name ${ROLES.join(", ")}`);
      break;
    }
  }
  if (names.length === 0) context.addIssue("names no role");
  return [...new Set(names)] as Role[];
});

/** Every variable with its meaning; `.env.example` is tested against this object. */
export const environment = z.object({
  HOST: z.string().default("127.0.0.1").describe("Address that PORT and PROBES_PORT are on"),
  PORT: port.optional().describe("Port of the web role; 8000 when absent, or the next free one"),
  PROBES_PORT: port.optional().describe(
    "Port of /healthz, /readyz and /metrics of a process without the web role; none when absent",
  ),
  DATA_DIR: z.string().default(".data").describe("Folder of everything embedded mode keeps"),
  ROLES: roles.optional().describe("Comma-separated: web, workers, bridge; all when absent"),
  PRODUCTION: flag.default(false).describe("1 refuses every embedded or in-process stand-in"),
  PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional()
    .describe("Where people reach the web role, such as https://chat.example.org"),
  ALLOWED_ORIGINS: z.string().default("").transform((v) =>
    v.split(",").map((origin) => origin.trim()).filter((origin) => origin !== "")
  ).describe(
    "Comma-separated origins of other sites that may connect, such as https://app.example.org",
  ),
  TRUST_PROXY: flag.default(false)
    .describe(
      "1 takes the client's address from the last X-Forwarded-For entry, for use behind a proxy",
    ),
  BEACON_SECONDS: z.coerce.number().min(0.1).max(60).default(5)
    .describe("How often a node reads the heads of its rooms from the database"),
  PRESENCE_LEASE_SECONDS: z.coerce.number().min(0.3).max(30).default(30)
    .describe(
      "How long the connections of a node that died count as online; the same on all nodes",
    ),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional()
    .describe("Postgres 15 to 18; absent: an embedded one in DATA_DIR"),
  DATABASE_DRIVER: z.enum(["postgres", "neon"]).optional()
    .describe("postgres (TCP) or neon (HTTP); chosen by the host of DATABASE_URL when absent"),
  NEON_FETCH_ENDPOINT: z.url().optional()
    .describe("SQL-over-HTTP endpoint for DATABASE_DRIVER=neon when it is not Neon's own"),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional().describe("Redis over TCP"),
  UPSTASH_REDIS_REST_URL: z.url({ protocol: /^https?$/ }).optional().describe(
    "Upstash Redis over REST",
  ),
  UPSTASH_REDIS_REST_TOKEN: secret.optional().describe("Token for UPSTASH_REDIS_REST_URL"),
  REDIS_PREFIX: z.string().regex(/^[A-Za-z0-9:_-]*$/).default("confab:")
    .describe("Prefix of every key and channel in Redis"),
  S3_ENDPOINT: z.url({ protocol: /^https?$/ }).optional().describe("S3-compatible object storage"),
  S3_REGION: z.string().default("us-east-1").describe("Region of S3_BUCKET"),
  S3_BUCKET: z.string().optional().describe("Bucket for files"),
  S3_ACCESS_KEY_ID: secret.optional().describe("Key id for S3_ENDPOINT"),
  S3_SECRET_ACCESS_KEY: secret.optional().describe("Secret for S3_ENDPOINT"),
  MQTT_URL: z.url({ protocol: /^(mqtts?|wss?)$/ }).optional()
    .describe("MQTT broker for devices; absent: an embedded one beside the bridge"),
  MQTT_USERNAME: z.string().optional().describe("The bridge's user at MQTT_URL"),
  MQTT_PASSWORD: secret.optional().describe("The bridge's password at MQTT_URL"),
  MQTT_PUBLIC_URL: z.url({ protocol: /^(mqtts?|wss?)$/ }).optional()
    .describe("Where devices reach the broker; MQTT_URL when absent"),
  MQTT_PROVISIONING: z.enum(["dynsec", "none"]).default("dynsec")
    .describe("How credentials reach the broker at MQTT_URL: Mosquitto's dynamic security, or not"),
  MQTT_PREFIX: z.string().regex(/^([A-Za-z0-9_-]+\/)+$/).default("confab/")
    .describe("Prefix of all topics"),
  MQTT_PORT: port.optional()
    .describe("Port of the embedded broker; 1883 when absent, or the next free one"),
  JWT_PRIVATE_JWK: z.string().optional()
    .describe(
      "Ed25519 private key (JWK) that signs tokens; made and kept in DATA_DIR in embedded mode",
    ),
  JWT_PREVIOUS_JWKS: z.string().optional()
    .describe("JWK set of public keys that still verify, during a key rotation"),
  DEVICE_KEY: z.string().regex(/^[A-Za-z0-9_-]{43}$/).optional()
    .describe(
      "32 random bytes (base64url) from which device secrets are derived; kept in DATA_DIR in embedded mode",
    ),
  LOG_LEVEL: z.enum(["debug", "info", "warn", "error", "silent"]).optional()
    .describe("Least severe level that is logged: info, or warn with the embedded database"),
  LIMIT_SENDS_PER_SECOND: count(50).describe("Sends per second and principal"),
  LIMIT_SEND_BURST: count(300).describe("Sends at once per principal"),
  LIMIT_TELEMETRY_PER_SECOND: count(50).describe("Readings per second and device"),
  LIMIT_TELEMETRY_BURST: count(500).describe("Readings at once per device"),
  LIMIT_JOINED_ROOMS: count(100).describe("Rooms joined on one connection"),
  LIMIT_SOCKETS_PER_PRINCIPAL: count(10).describe("Sockets and streams per principal on one node"),
  LIMIT_SOCKETS_PER_ADDRESS: count(50).describe(
    "Sockets and streams per client address on one node; at the embedded broker, connections without a CONNECT",
  ),
  LIMIT_SOCKETS: count(20000).describe("Sockets and streams on one node"),
  LIMIT_CONNECTS_PER_SECOND: count(500).describe(
    "New sockets and streams per second on one node; four times that at once",
  ),
  LIMIT_JOINS: count(10_000).describe(
    "Joins under way on one node; new sockets and streams are refused from half of it on",
  ),
  LIMIT_LOOP_DELAY_MS: count(500, 10).describe(
    "Lateness of the event loop, over two seconds, from which on new sockets are refused",
  ),
  LIMIT_RSS_BYTES: z.coerce.number().int().min(67_108_864).optional().describe(
    "Memory of the process from which on new sockets are refused; 2 GiB, or 640 MiB on Deno Deploy",
  ),
  LIMIT_OUTBOX_BYTES: count(1_048_576, 65536).describe("Bytes that may wait for one slow reader"),
  LIMIT_REPLAY_ENTRIES: count(1000).describe("Entries that one join replays"),
  LIMIT_PRESENCE_MEMBERS: z.coerce.number().int().min(0).max(1000).default(200)
    .describe("Members of the largest rooms that have presence; 0 turns it off"),
  LIMIT_LOGINS_PER_MINUTE: count(10).describe(
    "Attempts to log in per username, and ten times that per address",
  ),
  LIMIT_REQUESTS_PER_SECOND: count(100).describe(
    "Requests per second and principal or address; three times that at once",
  ),
});

type Environment = z.infer<typeof environment>;

/** The configuration after all checks, in groups. */
export interface Config {
  host: string;
  /** Absent: 8000 or the next free port. */
  port: number | undefined;
  /** Absent: without the role web, nobody can ask how the process is. */
  probesPort: number | undefined;
  dataDir: string;
  roles: Role[];
  production: boolean;
  /** On Deno Deploy: many short-lived instances that must listen at once. */
  onDeploy: boolean;
  publicUrl: string | undefined;
  allowedOrigins: string[];
  trustProxy: boolean;
  beaconSeconds: number;
  presenceLeaseSeconds: number;
  database:
    | { driver: "embedded" }
    | { driver: "postgres"; url: string }
    | { driver: "neon"; url: string; fetchEndpoint: string | undefined };
  redis:
    | { driver: "none" }
    | { driver: "tcp"; url: string; prefix: string }
    | { driver: "upstash"; url: string; token: string; prefix: string };
  mqtt: {
    /** Absent: the embedded broker. */
    broker:
      | {
        url: string;
        username: string | undefined;
        password: string | undefined;
        publicUrl: string;
      }
      | undefined;
    provisioning: "dynsec" | "none";
    prefix: string;
    /** Port of the embedded broker; absent: 1883 or the next free port. */
    port: number | undefined;
  };
  keys: {
    jwtPrivateJwk: string | undefined;
    jwtPreviousJwks: string | undefined;
    deviceKey: string | undefined;
  };
  logLevel: LogLevel;
  limits: Limits & {
    sockets: number;
    connectsPerSecond: number;
    joins: number;
    loopDelayMs: number;
    rssBytes: number;
    outboxBytes: number;
    telemetryPerSecond: number;
    telemetryBurst: number;
    loginsPerMinute: number;
    requestsPerSecond: number;
  };
}

/** Thrown by readConfig(); the message names every variable that is wrong, never its value. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Checks an environment and turns it into the configuration.
 *
 * @throws {ConfigError} when a variable is malformed or two contradict each other
 */
export function readConfig(env: Record<string, string | undefined>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const parsed = environment.safeParse(given, { jitless: true }); // compiling pays off in loops
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("\n"),
    );
  }
  const e = parsed.data;
  const onDeploy = given.DENO_DEPLOY !== undefined;
  const config = assemble(e, onDeploy);
  const problems = contradictions(e, config, onDeploy);
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  return config;
}

function assemble(e: Environment, onDeploy: boolean): Config {
  return {
    host: e.HOST,
    port: e.PORT,
    probesPort: e.PROBES_PORT,
    dataDir: e.DATA_DIR,
    roles: e.ROLES ?? (onDeploy ? ["web"] : [...ROLES]),
    production: e.PRODUCTION || onDeploy,
    onDeploy,
    publicUrl: e.PUBLIC_URL?.replace(/\/$/, ""),
    allowedOrigins: e.ALLOWED_ORIGINS,
    trustProxy: e.TRUST_PROXY,
    beaconSeconds: e.BEACON_SECONDS,
    presenceLeaseSeconds: e.PRESENCE_LEASE_SECONDS,
    database: databaseChoice(e),
    redis: redisChoice(e),
    mqtt: {
      broker: e.MQTT_URL === undefined ? undefined : {
        url: e.MQTT_URL,
        username: e.MQTT_USERNAME,
        password: e.MQTT_PASSWORD,
        publicUrl: e.MQTT_PUBLIC_URL ?? e.MQTT_URL,
      },
      provisioning: e.MQTT_PROVISIONING,
      prefix: e.MQTT_PREFIX,
      port: e.MQTT_PORT,
    },
    keys: {
      jwtPrivateJwk: e.JWT_PRIVATE_JWK,
      jwtPreviousJwks: e.JWT_PREVIOUS_JWKS,
      deviceKey: e.DEVICE_KEY,
    },
    logLevel: e.LOG_LEVEL ?? (e.DATABASE_URL === undefined ? "warn" : "info"),
    limits: {
      sendsPerSecond: e.LIMIT_SENDS_PER_SECOND,
      sendBurst: e.LIMIT_SEND_BURST,
      joinedRooms: e.LIMIT_JOINED_ROOMS,
      socketsPerPrincipal: e.LIMIT_SOCKETS_PER_PRINCIPAL,
      socketsPerAddress: e.LIMIT_SOCKETS_PER_ADDRESS,
      frameBytes: SIZES.frameBytes,
      textBytes: SIZES.textBytes,
      dataBytes: SIZES.dataBytes,
      replayEntries: e.LIMIT_REPLAY_ENTRIES,
      presenceMembers: e.LIMIT_PRESENCE_MEMBERS,
      sockets: e.LIMIT_SOCKETS,
      connectsPerSecond: e.LIMIT_CONNECTS_PER_SECOND,
      joins: e.LIMIT_JOINS,
      loopDelayMs: e.LIMIT_LOOP_DELAY_MS,
      rssBytes: e.LIMIT_RSS_BYTES ?? (onDeploy ? 640 : 2048) * 1024 * 1024,
      outboxBytes: e.LIMIT_OUTBOX_BYTES,
      telemetryPerSecond: e.LIMIT_TELEMETRY_PER_SECOND,
      telemetryBurst: e.LIMIT_TELEMETRY_BURST,
      loginsPerMinute: e.LIMIT_LOGINS_PER_MINUTE,
      requestsPerSecond: e.LIMIT_REQUESTS_PER_SECOND,
    },
  };
}

function databaseChoice(e: Environment): Config["database"] {
  if (e.DATABASE_URL === undefined) return { driver: "embedded" };
  const neonHost = /(^|\.)neon\.tech$/.test(new URL(e.DATABASE_URL).hostname);
  const driver = e.DATABASE_DRIVER ?? (neonHost ? "neon" : "postgres");
  return driver === "neon"
    ? { driver, url: e.DATABASE_URL, fetchEndpoint: e.NEON_FETCH_ENDPOINT }
    : { driver, url: e.DATABASE_URL };
}

function redisChoice(e: Environment): Config["redis"] {
  if (e.UPSTASH_REDIS_REST_URL !== undefined) {
    return {
      driver: "upstash",
      url: e.UPSTASH_REDIS_REST_URL,
      token: e.UPSTASH_REDIS_REST_TOKEN ?? "",
      prefix: e.REDIS_PREFIX,
    };
  }
  if (e.REDIS_URL !== undefined) return { driver: "tcp", url: e.REDIS_URL, prefix: e.REDIS_PREFIX };
  return { driver: "none" };
}

function contradictions(e: Environment, config: Config, onDeploy: boolean): string[] {
  const problems: string[] = [];
  const need = (wrong: boolean, text: string) => {
    if (wrong) problems.push(text);
  };
  const split = config.roles.length < ROLES.length;
  const shared = config.production || split;
  const why = config.production ? "with PRODUCTION" : "when ROLES are split";
  need(shared && config.database.driver === "embedded", `DATABASE_URL is required ${why}`);
  need(
    shared && config.redis.driver === "none",
    `REDIS_URL or UPSTASH_REDIS_REST_URL is required ${why}`,
  );
  need(
    config.redis.driver === "upstash" && e.UPSTASH_REDIS_REST_TOKEN === undefined,
    "UPSTASH_REDIS_REST_TOKEN is required with UPSTASH_REDIS_REST_URL",
  );
  need(
    e.UPSTASH_REDIS_REST_TOKEN !== undefined && e.UPSTASH_REDIS_REST_URL === undefined,
    "UPSTASH_REDIS_REST_URL is required with UPSTASH_REDIS_REST_TOKEN",
  );
  need(
    e.UPSTASH_REDIS_REST_URL !== undefined && e.REDIS_URL !== undefined,
    "REDIS_URL and UPSTASH_REDIS_REST_URL exclude each other",
  );
  need(
    e.DATABASE_DRIVER !== undefined && e.DATABASE_URL === undefined,
    "DATABASE_URL is required with DATABASE_DRIVER",
  );
  need(
    e.NEON_FETCH_ENDPOINT !== undefined && config.database.driver !== "neon",
    "NEON_FETCH_ENDPOINT needs DATABASE_DRIVER=neon",
  );
  need(shared && e.MQTT_URL === undefined && !onDeploy, `MQTT_URL is required ${why}`);
  need(
    e.MQTT_URL !== undefined && e.MQTT_PORT !== undefined,
    "MQTT_PORT is the embedded broker's and excludes MQTT_URL",
  );
  const embedded = config.database.driver === "embedded";
  need(
    !embedded && e.JWT_PRIVATE_JWK === undefined,
    "JWT_PRIVATE_JWK is required with DATABASE_URL",
  );
  need(!embedded && e.DEVICE_KEY === undefined, "DEVICE_KEY is required with DATABASE_URL");
  need(config.production && e.PUBLIC_URL === undefined, "PUBLIC_URL is required with PRODUCTION");
  need(
    onDeploy && config.roles.some((role) => role !== "web"),
    "ROLES can only be web on Deno Deploy: workers and bridge run elsewhere",
  );
  const s3 = [e.S3_ENDPOINT, e.S3_BUCKET, e.S3_ACCESS_KEY_ID, e.S3_SECRET_ACCESS_KEY];
  need(
    s3.some((v) => v !== undefined) && s3.some((v) => v === undefined),
    "S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY go together",
  );
  return problems;
}
