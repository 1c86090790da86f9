import { generateKeys } from "../lib/auth/keys.ts";
import { type TestDatabase, testDatabase } from "./database.ts";
import { startNeonGateway } from "./gateways/neon.ts";
import { startUpstashGateway } from "./gateways/upstash.ts";
import { findRedis, type Service, TEST_REDIS_URL } from "./services.ts";

/** Services for one test, and the environment that makes nodes use them. */
export interface Backend extends AsyncDisposable {
  env: Record<string, string>;
  database: TestDatabase;
}

/** A kind of backend; `service` says whether it can be had here. */
export interface BackendKind {
  name: string;
  service: Service;
  start(): Promise<Backend>;
}

/** Limits out of the way of tests that are not about them. */
export const GENEROUS = {
  LIMIT_LOGINS_PER_MINUTE: "100000",
  LIMIT_REQUESTS_PER_SECOND: "100000",
  LIMIT_SENDS_PER_SECOND: "100000",
  LIMIT_SEND_BURST: "100000",
  LIMIT_SOCKETS_PER_ADDRESS: "1000",
};

/** Where people would reach the installation under test. */
const PUBLIC_URL = "https://chat.example.org";

/** Postgres alone; the bus is in the process. */
export function single(): BackendKind {
  return {
    name: "one node",
    service: { name: "Postgres" },
    start: () => withDatabase(() => Promise.resolve({ env: { DATABASE_DRIVER: "postgres" } })),
  };
}

/** Postgres and Redis over TCP, for nodes of their own role. */
export async function selfHosted(redisUrl = TEST_REDIS_URL): Promise<BackendKind> {
  return {
    name: "Postgres and Redis over TCP",
    service: await findRedis(),
    start: () =>
      withDatabase(() =>
        Promise.resolve({
          env: {
            DATABASE_DRIVER: "postgres",
            REDIS_URL: redisUrl,
            REDIS_PREFIX: prefix(),
            ROLES: "web",
            // Told to devices; the role web does not connect to it.
            MQTT_URL: "mqtt://127.0.0.1:9",
          },
        })
      ),
  };
}

/** What Deno Deploy has: Neon over HTTP and Upstash over REST, with their own drivers. */
export async function edge(): Promise<BackendKind> {
  return {
    name: "Neon and Upstash over HTTP",
    service: await findRedis(),
    start: () =>
      withDatabase(async ({ url }, stack) => {
        const neon = stack.use(startNeonGateway(url));
        const upstash = await startUpstashGateway(TEST_REDIS_URL);
        stack.defer(() => upstash.close());
        return {
          env: {
            DENO_DEPLOY: "1",
            PUBLIC_URL,
            DATABASE_DRIVER: "neon",
            NEON_FETCH_ENDPOINT: neon.endpoint,
            UPSTASH_REDIS_REST_URL: upstash.url,
            UPSTASH_REDIS_REST_TOKEN: upstash.token,
            REDIS_PREFIX: prefix(),
          },
        };
      }),
  };
}

async function withDatabase(
  rest: (
    database: TestDatabase,
    stack: AsyncDisposableStack,
  ) => Promise<{ env: Record<string, string> }>,
): Promise<Backend> {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await testDatabase());
  const { env } = await rest(database, stack);
  const { jwtPrivateJwk, deviceKey } = await generateKeys();
  const opened = stack.move();
  return {
    env: {
      DATABASE_URL: database.url,
      JWT_PRIVATE_JWK: jwtPrivateJwk,
      DEVICE_KEY: deviceKey,
      ...GENEROUS,
      ...env,
    },
    database,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function prefix(): string {
  return `test-${crypto.randomUUID()}:`;
}
