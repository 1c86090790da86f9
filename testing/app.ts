import { assert, assertEquals } from "@std/assert";
import type { Hono } from "hono";
import { deviceSecret } from "../lib/auth/devices.ts";
import { generateKeys } from "../lib/auth/keys.ts";
import { authenticate, redeemTicket } from "../lib/auth/mod.ts";
import { type Config, readConfig } from "../lib/config.ts";
import { createLog } from "../lib/log.ts";
import { openServices, type Services } from "../lib/services.ts";
import { createApi } from "../routes/app.ts";
import type { AppEnv, RouteContext } from "../routes/context.ts";
import type { Definition } from "../routes/endpoint.ts";
import { type Node, startNode } from "../routes/node.ts";
import { checkDocumented } from "./documented.ts";
import { testDatabase } from "./database.ts";

/** One answer, already held against the document. */
export interface TestAnswer {
  status: number;
  headers: Headers;
  text: string;
  /** The JSON of the body; undefined when it has none. */
  // deno-lint-ignore no-explicit-any -- tests look into answers whose shape has just been checked
  body: any;
}

/** What a test sends. */
export interface TestRequest {
  token?: string | undefined;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, instead of `body`. */
  raw?: BodyInit;
  headers?: Record<string, string>;
}

/** Somebody who has just signed up. */
export interface TestUser {
  user: { id: string; name: string; username: string };
  token: string;
  refreshToken: string;
}

/** A whole web role without a port, on a database of its own, with the bus of one process. */
export interface TestApp extends AsyncDisposable {
  app: Hono<AppEnv>;
  context: RouteContext;
  endpoints: readonly Definition[];
  services: Services;
  node: Node;
  /** The lines of the log so far. */
  lines: string[];
  /** Signs up with `name`, which is made unique; a random one when absent. */
  register(name?: string): Promise<TestUser>;
  /** Asks the app; fails when the answer is not as the document says. */
  request(method: string, path: string, request?: TestRequest): Promise<TestAnswer>;
}

/** Limits out of the way of tests that are not about them. */
const GENEROUS = {
  LIMIT_LOGINS_PER_MINUTE: "100000",
  LIMIT_REQUESTS_PER_SECOND: "100000",
  LIMIT_SENDS_PER_SECOND: "100000",
  LIMIT_SEND_BURST: "100000",
  LIMIT_SOCKETS_PER_ADDRESS: "1000",
};

/**
 * Makes an app from `env` (on top of generous limits) and changes of its context, which win over
 * what it would have. Use it with `await using`.
 */
export async function testApp(
  env: Record<string, string> = {},
  changes: Partial<RouteContext> = {},
): Promise<TestApp> {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await testDatabase());
  const { jwtPrivateJwk, deviceKey } = await generateKeys();
  const config: Config = readConfig({
    DATABASE_URL: database.url,
    DATABASE_DRIVER: "postgres",
    JWT_PRIVATE_JWK: jwtPrivateJwk,
    DEVICE_KEY: deviceKey,
    ...GENEROUS,
    ...env,
  });
  const lines: string[] = [];
  const log = createLog("info", (line) => lines.push(line));
  const services = stack.use(await openServices(config, { log }));
  const node = startNode(services);
  stack.defer(() => node.stop());
  const context = { ...contextOf(services, node), ...changes };
  const { app, endpoints } = createApi(context);
  const request = async (method: string, path: string, sent: TestRequest = {}) => {
    const response = await app.request(path, requestInit(method, sent));
    const answer = await answerOf(response);
    checkDocumented(endpoints, method, path, answer);
    return answer;
  };
  const opened = stack.move();
  return {
    app,
    context,
    endpoints,
    services,
    node,
    lines,
    request,
    register: async (name = "someone") => {
      const username = `${name}-${crypto.randomUUID().slice(0, 8)}`;
      const body = { username, password: "correct horse battery", displayName: name };
      const answer = await request("POST", "/v1/auth/register", { body });
      assertEquals(answer.status, 201, answer.text);
      const { user, accessToken, refreshToken } = answer.body;
      return { user, token: accessToken, refreshToken };
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function contextOf(
  services: Services,
  { hub, connections, admission, presence }: Node,
): RouteContext {
  const { config, chat, auth, keys, log, metrics, db, epoch } = services;
  return {
    config,
    chat,
    accounts: auth,
    keys,
    log,
    metrics,
    checks: { database: async () => void await db.query("select 1") },
    mqttEndpoint: () => ({ host: "mqtt.example.org", port: 8883, tls: true }),
    secretOf: (id, generation) => deviceSecret(keys.deviceKey, id, generation),
    live: {
      config,
      chat,
      hub,
      connections,
      admission,
      presence,
      authenticate: (bearer) => authenticate(auth, bearer),
      redeemTicket: (ticket) => redeemTicket(auth, ticket),
      epoch,
      log,
    },
  };
}

function requestInit(method: string, { token, body, raw, headers = {} }: TestRequest): RequestInit {
  const all = new Headers(headers);
  if (token !== undefined && !all.has("authorization")) {
    all.set("authorization", `Bearer ${token}`);
  }
  if (body !== undefined && !all.has("content-type")) all.set("content-type", "application/json");
  const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  return { method, headers: all, ...(sent === undefined ? {} : { body: sent }) };
}

async function answerOf(response: Response): Promise<TestAnswer> {
  const text = await response.text();
  const { status, headers } = response;
  const isJson = /\bjson\b/.test(headers.get("content-type") ?? "");
  assert(headers.get("x-request-id"), "Every answer has a request id");
  return { status, headers, text, body: isJson ? JSON.parse(text) : undefined };
}
