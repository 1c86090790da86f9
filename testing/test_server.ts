import { decodeJwt } from "jose";
import { ACCESS_SECONDS, createTokens } from "../lib/auth/tokens.ts";
import { readConfig } from "../lib/config.ts";
import { createLog } from "../lib/log.ts";
import { openServices, type Services } from "../lib/services.ts";
import { startWeb } from "../routes/web.ts";
import { type Account, ApiClient } from "./api_client.ts";
import { type Backend, edge, single } from "./backend.ts";
import { freePort } from "./mosquitto.ts";
import type { Service } from "./services.ts";
import { TestSocket } from "./test_socket.ts";
import { until } from "./until.ts";

/** A role `web` in this process behind a real port, with services of its own. */
export interface TestServer extends AsyncDisposable {
  url: string;
  api: ApiClient;
  backend: Backend;
  services: Services;
  /** The lines of the log so far. */
  lines: string[];
  /** Sockets and streams that are open. */
  connections(): number;
  /** Rooms that somebody has joined. */
  rooms(): number;
  /** Opens a socket for an account. */
  connect(account: Account, query?: Record<string, string>): Promise<TestSocket>;
  /** An access token for the session of `account` that ends in `seconds`, rounded down. */
  tokenFor(account: Account, seconds: number): Promise<string>;
  stop(): Promise<void>;
}

// With TEST_SHAPE=edge the same tests run with the drivers of the edge.
const kind = Deno.env.get("TEST_SHAPE") === "edge" ? await edge() : single();

/** What a test server needs; for testWith(). */
export const serverService: Service = kind.service;

/** Starts a server; `env` comes on top of generous limits. Use it with `await using`. */
export async function startTestServer(env: Record<string, string> = {}): Promise<TestServer> {
  await using stack = new AsyncDisposableStack();
  const backend = stack.use(await kind.start());
  const config = readConfig({ ...backend.env, PORT: `${freePort()}`, ...env });
  const lines: string[] = [];
  const log = createLog("info", (line) => lines.push(line));
  const services = stack.use(await openServices(config, { log }));
  const web = startWeb(services, () => undefined);
  let stopped: Promise<void> | undefined;
  const stop = () => stopped ??= web.stop();
  stack.defer(stop);
  const opened = stack.move();
  const { url } = web;
  const gauge = (name: string) =>
    Number(new RegExp(`^${name} (\\d+)`, "m").exec(services.metrics.render())?.[1]);
  return {
    url,
    api: new ApiClient(url),
    backend,
    services,
    lines,
    connections: () => gauge("confab_connections"),
    rooms: () => gauge("confab_rooms_served"),
    connect: ({ token }, query = {}) => TestSocket.connect(url, { token, query }),
    tokenFor(account, seconds) {
      const { id, name } = account;
      const clock = () => Date.now() + (seconds - ACCESS_SECONDS) * 1000;
      const issuer = config.publicUrl ?? "confab";
      const session = String(decodeJwt(account.token).sid);
      return createTokens({ keys: services.keys, issuer, clock })
        .signAccess({ id, name, session, kind: "user", role: "user" });
    },
    stop,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Waits until a server has this many sockets and streams. */
export async function untilConnections(server: TestServer, count: number): Promise<void> {
  await until(`${count} connections`, () => server.connections() === count);
}
