import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigError, environment, readConfig, ROLES } from "./config.ts";

type Env = Record<string, string | undefined>;

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

function test(name: string, fn: () => void): void {
  Deno.test({ name, fn, ...strict });
}

const KEYS: Env = { JWT_PRIVATE_JWK: "{}", DEVICE_KEY: "k".repeat(43) };
const POSTGRES: Env = { DATABASE_URL: "postgres://u:p@db.example.org/confab", ...KEYS };
const UPSTASH: Env = {
  UPSTASH_REDIS_REST_URL: "https://redis.example.org",
  UPSTASH_REDIS_REST_TOKEN: "t",
};
const SHARED: Env = {
  ...POSTGRES,
  REDIS_URL: "redis://redis.example.org",
  MQTT_URL: "mqtt://mqtt.example.org",
  PUBLIC_URL: "https://chat.example.org/",
};
const EDGE: Env = {
  DENO_DEPLOY: "1",
  ...POSTGRES,
  DATABASE_URL: "postgres://u:p@ep-a-1.eu-central-1.aws.neon.tech/confab",
  ...UPSTASH,
  PUBLIC_URL: "https://chat.example.org",
};

/** The lines that refuse an environment. */
function refusal(env: Env): string[] {
  return assertThrows(() => readConfig(env), ConfigError).message.split("\n");
}

test("readConfig() of nothing is embedded mode with every role", () => {
  const config = readConfig({});
  assertEquals(config.database, { driver: "embedded" });
  assertEquals(config.redis, { driver: "none" });
  assertEquals(config.mqtt.broker, undefined);
  assertEquals(config.roles, [...ROLES]);
  assertEquals([config.host, config.port, config.dataDir], ["127.0.0.1", undefined, ".data"]);
  assertEquals([config.production, config.onDeploy, config.trustProxy], [false, false, false]);
  assertEquals([config.beaconSeconds, config.allowedOrigins], [5, []]);
});

test("readConfig() takes an empty value for an absent one", () => {
  const empty = Object.fromEntries([...Object.keys(environment.shape), "DENO_DEPLOY"].map(
    (name) => [name, ""],
  ));
  assertEquals(readConfig(empty), readConfig({}));
});

test("readConfig() ignores variables that are not its own", () => {
  assertEquals(readConfig({ PATH: "/bin", CONFAB: "x" }), readConfig({}));
});

for (
  const [why, env, driver] of [
    ["a host of its own", { DATABASE_URL: "postgresql://db.example.org/a" }, "postgres"],
    ["a host on neon.tech", { DATABASE_URL: "postgres://ep-a.neon.tech/a" }, "neon"],
    ["a host that only looks like Neon", { DATABASE_URL: "postgres://xneon.tech/a" }, "postgres"],
    [
      "DATABASE_DRIVER=neon",
      { DATABASE_URL: "postgres://db.example.org/a", DATABASE_DRIVER: "neon" },
      "neon",
    ],
    [
      "DATABASE_DRIVER=postgres, also on neon.tech",
      { DATABASE_URL: "postgres://ep-a.neon.tech/a", DATABASE_DRIVER: "postgres" },
      "postgres",
    ],
  ] as [string, Env, string][]
) {
  test(`readConfig() chooses the database driver ${driver} for ${why}`, () => {
    const { database } = readConfig({ ...KEYS, ...env });
    assert(database.driver !== "embedded");
    assertEquals([database.driver, database.url], [driver, env.DATABASE_URL]);
  });
}

test("readConfig() hands the Neon driver another endpoint", () => {
  const NEON_FETCH_ENDPOINT = "http://127.0.0.1:4444/sql";
  const { database } = readConfig({ ...POSTGRES, DATABASE_DRIVER: "neon", NEON_FETCH_ENDPOINT });
  assert(database.driver === "neon");
  assertEquals(database.fetchEndpoint, NEON_FETCH_ENDPOINT);
});

test("readConfig() chooses Redis by the variable that is there", () => {
  const REDIS_URL = "rediss://redis.example.org";
  assertEquals(readConfig({ REDIS_URL, REDIS_PREFIX: "a:" }).redis, {
    driver: "tcp",
    url: REDIS_URL,
    prefix: "a:",
  });
  assertEquals(readConfig(UPSTASH).redis, {
    driver: "upstash",
    url: UPSTASH.UPSTASH_REDIS_REST_URL!,
    token: "t",
    prefix: "confab:",
  });
});

test("readConfig() tells devices the public address of the broker, or its only one", () => {
  const own = { ...SHARED, MQTT_PUBLIC_URL: "mqtts://mqtt.example.org" };
  assertEquals(readConfig(own).mqtt.broker?.publicUrl, "mqtts://mqtt.example.org");
  assertEquals(readConfig(SHARED).mqtt.broker?.publicUrl, "mqtt://mqtt.example.org");
});

test("readConfig() reads lists, flags and numbers", () => {
  const config = readConfig({
    ...SHARED,
    ROLES: " web, bridge ,web,",
    ALLOWED_ORIGINS: "https://a.example.org, https://b.example.org",
    TRUST_PROXY: "true",
    PRODUCTION: "1",
    PORT: "0",
    BEACON_SECONDS: "0.5",
    LIMIT_SEND_BURST: "7",
  });
  assertEquals(config.roles, ["web", "bridge"]);
  assertEquals(config.allowedOrigins, ["https://a.example.org", "https://b.example.org"]);
  assertEquals([config.trustProxy, config.production], [true, true]);
  assertEquals([config.port, config.beaconSeconds, config.limits.sendBurst], [0, 0.5, 7]);
  assertEquals(config.publicUrl, "https://chat.example.org");
});

test("readConfig() on Deno Deploy is the role web in production", () => {
  const config = readConfig(EDGE);
  assertEquals([config.onDeploy, config.production], [true, true]);
  assertEquals(config.roles, ["web"]);
  assertEquals([config.database.driver, config.redis.driver], ["neon", "upstash"]);
});

// Each complete environment loses or gains what the case says, and the named variable is at fault.
const without = (env: Env, ...names: string[]): Env =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)));
const REFUSED: [string, Env, string][] = [
  [
    "PRODUCTION on an embedded database",
    { ...without(SHARED, "DATABASE_URL"), PRODUCTION: "1" },
    "DATABASE_URL is required",
  ],
  [
    "PRODUCTION without Redis",
    { ...without(SHARED, "REDIS_URL"), PRODUCTION: "1" },
    "REDIS_URL or UPSTASH_REDIS_REST_URL is required",
  ],
  [
    "PRODUCTION without a broker",
    { ...without(SHARED, "MQTT_URL"), PRODUCTION: "1" },
    "MQTT_URL is required",
  ],
  [
    "PRODUCTION without a public address",
    { ...without(SHARED, "PUBLIC_URL"), PRODUCTION: "1" },
    "PUBLIC_URL is required",
  ],
  [
    "split roles on an embedded database",
    { ...without(SHARED, "DATABASE_URL"), ROLES: "web" },
    "DATABASE_URL is required when ROLES are split",
  ],
  [
    "split roles on an in-process bus",
    { ...without(SHARED, "REDIS_URL"), ROLES: "web" },
    "REDIS_URL or UPSTASH_REDIS_REST_URL is required when ROLES are split",
  ],
  [
    "split roles on an embedded broker",
    { ...without(SHARED, "MQTT_URL"), ROLES: "workers,bridge" },
    "MQTT_URL is required when ROLES are split",
  ],
  ["a database without a signing key", without(POSTGRES, "JWT_PRIVATE_JWK"), "JWT_PRIVATE_JWK"],
  ["a database without a device key", without(POSTGRES, "DEVICE_KEY"), "DEVICE_KEY"],
  [
    "Upstash without its token",
    without(UPSTASH, "UPSTASH_REDIS_REST_TOKEN"),
    "UPSTASH_REDIS_REST_TOKEN is required",
  ],
  [
    "an Upstash token without its address",
    without(UPSTASH, "UPSTASH_REDIS_REST_URL"),
    "UPSTASH_REDIS_REST_URL is required",
  ],
  [
    "two kinds of Redis",
    { ...UPSTASH, REDIS_URL: "redis://redis.example.org" },
    "REDIS_URL and UPSTASH_REDIS_REST_URL exclude each other",
  ],
  [
    "a database driver without a database",
    { DATABASE_DRIVER: "postgres" },
    "DATABASE_URL is required with DATABASE_DRIVER",
  ],
  [
    "a Neon endpoint for another driver",
    { ...POSTGRES, NEON_FETCH_ENDPOINT: "http://127.0.0.1:4444/sql" },
    "NEON_FETCH_ENDPOINT needs DATABASE_DRIVER=neon",
  ],
  [
    "a port for a broker that is not embedded",
    { MQTT_URL: "mqtt://mqtt.example.org", MQTT_PORT: "1883" },
    "MQTT_PORT",
  ],
  ["a bridge on Deno Deploy", { ...EDGE, ROLES: "web,bridge" }, "ROLES can only be web"],
  ["half of S3", { S3_ENDPOINT: "https://s3.example.org", S3_BUCKET: "b" }, "S3_ENDPOINT"],
];

for (const [what, env, text] of REFUSED) {
  test(`readConfig() refuses ${what}`, () => {
    const lines = refusal(env);
    assertEquals(lines.length, 1, lines.join("\n"));
    assertStringIncludes(lines[0]!, text);
  });
}

test("readConfig() names every contradiction at once", () => {
  const lines = refusal({ PRODUCTION: "1", DATABASE_DRIVER: "neon" });
  for (const name of ["DATABASE_URL", "REDIS_URL", "MQTT_URL", "PUBLIC_URL"]) {
    assert(lines.some((line) => line.startsWith(name)), name);
  }
});

// What each variable must refuse; a variable that takes any text is not here.
const MALFORMED: [string, ...string[]][] = [
  ["PORT", "http", "-1", "65536", "80.5"],
  ["MQTT_PORT", "1883x"],
  ["PROBES_PORT", "65536"],
  ["ROLES", "web,secretary", ","],
  ["PRODUCTION", "yes"],
  ["TRUST_PROXY", "2"],
  ["PUBLIC_URL", "chat.example.org", "ftp://chat.example.org"],
  ["BEACON_SECONDS", "0", "61", "often"],
  ["DATABASE_URL", "mysql://u:hunter2@db/a", "postgres//u:hunter2@db"],
  ["DATABASE_DRIVER", "sqlite"],
  ["NEON_FETCH_ENDPOINT", "db/sql"],
  ["REDIS_URL", "http://u:hunter2@db"],
  ["UPSTASH_REDIS_REST_URL", "redis://u:hunter2@db"],
  ["REDIS_PREFIX", "a b"],
  ["S3_ENDPOINT", "s3://bucket"],
  ["MQTT_URL", "http://u:hunter2@db"],
  ["MQTT_PUBLIC_URL", "mqtt.example.org"],
  ["MQTT_PROVISIONING", "manual"],
  ["MQTT_PREFIX", "confab", "/", "a/#/", "+/"],
  ["DEVICE_KEY", "hunter2", "=".repeat(43)],
  ["LOG_LEVEL", "loud"],
  ["LIMIT_SENDS_PER_SECOND", "0", "many", "1.5"],
  ["LIMIT_OUTBOX_BYTES", "1"],
];

for (const [name, ...values] of MALFORMED) {
  test(`readConfig() refuses a malformed ${name} by its name, never with its value`, () => {
    for (const value of values) {
      const [line, ...rest] = refusal({ [name]: value });
      assertEquals(rest, []);
      assert(line!.startsWith(`${name}: `), line);
      const told = line!.slice(name.length + 2);
      if (value.length > 2) assertEquals(told.includes(value), false, told);
      assertEquals(told.includes("hunter2") || told.includes("secretary"), false, told);
    }
  });
}
