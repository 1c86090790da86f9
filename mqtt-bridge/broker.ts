import { Buffer } from "node:buffer";
import { randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { Aedes, type AuthenticateError, type Client } from "aedes";
import { deviceOfUsername } from "../lib/auth/devices.ts";
import type { Log } from "../lib/log.ts";
import { SIZES } from "../lib/protocol.ts";
import { createAccess, refusal } from "./broker_access.ts";
import { type ArrivalLimits, Arrivals } from "./broker_arrivals.ts";
import { boundIncoming } from "./broker_incoming.ts";
import { refuseMalformed } from "./broker_packets.ts";
import { boundQueues } from "./broker_queues.ts";
import { Sessions } from "./broker_sessions.ts";
import { type ReadLimits, ReadThrottle } from "./broker_throttle.ts";
import { Topics } from "./topics.ts";

/** How the embedded broker is started. */
export interface BrokerOptions {
  /** Used or refused; absent: 1883, or the next free port after it. */
  port?: number | undefined;
  host: string;
  /** Of all topics, such as `confab/`. */
  prefix: string;
  /** True when the device may sign in with these. Must end within its own deadline. */
  authenticate(device: string, password: string, username: string): Promise<boolean>;
  log: Log;
  /** That have sent a CONNECT. Default 1,000; the bridge's own connection comes on top. */
  maxConnections?: number;
  /** Of those that have not. Default 50 of an address and four times as many in all. */
  arrivals?: ArrivalLimits;
  /** Within which a connection must send its CONNECT. Default 10,000. */
  connectMs?: number;
  /** Of one device at once, with different client ids. Default 10. */
  maxConnectionsPerDevice?: number;
  /** Of one device; beyond it the broker reads more slowly. Default: no bound. */
  reads?: ReadLimits;
}

/** The embedded MQTT broker (3.1.1 and 5), for one process. */
export interface EmbeddedBroker {
  port: number;
  /** The bridge's own way in; the password lives as long as the broker. */
  bridge: { url: string; username: string; password: string };
  /** Ends the connections of a device, except those that signed in with a username of `good`. */
  kick(device: string, good?: readonly string[]): void;
  stop(): Promise<void>;
}

const BRIDGE_USER = "bridge";
/** The port of MQTT without TLS. */
export const DEFAULT_PORT = 1883;
const AUTH_DEADLINE_MS = 5000;

/**
 * Starts the broker. A device's username is its id, or with a generation after it (see
 * `deviceUsername`); its client id is the device's id alone, or followed by `-` and anything, so
 * that a subscriber and a publisher run side by side.
 *
 * @throws {Error} with the code EADDRINUSE when an explicit port is taken
 */
export async function startBroker(options: BrokerOptions): Promise<EmbeddedBroker> {
  const { host, log } = options;
  const topics = new Topics(options.prefix);
  const password = randomBytes(24).toString("base64url");
  const sessions = new Sessions(options.maxConnectionsPerDevice ?? 10);
  const access = createAccess(topics, sessions);
  const broker = await Aedes.createBroker({
    heartbeatInterval: 60_000,
    connectTimeout: options.connectMs ?? 10_000,
    drainTimeout: 10_000,
    concurrency: 10_000,
    queueLimit: 100,
    maximumPacketSize: 2 * SIZES.bodyBytes,
    receiveMaximum: 1000,
    sessionExpiryIntervalLimit: 7 * 86_400,
    pendingSessionsLimit: 10_000,
    maxTopicLevels: topics.maxLevels,
    authenticate(client, username, given, done) {
      arrivals.leave(client.conn as Socket);
      admit(client, username, given)
        .then((ok) => ok ? done(null, true) : done(badCredentials(), false))
        .catch((error) => {
          log.warn("A device could not be authenticated", { error });
          done(badCredentials(), false);
        });
    },
    ...access.hooks,
  });
  boundIncoming(broker);
  const limitOf = (id: string) => sessions.isBridge(id) ? 20_000 : 1000;
  access.start(broker, boundQueues(broker, limitOf, () => access.release()));
  broker.on("subscribe", (_, client) => access.subscribed(client));
  broker.on("clientDisconnect", (client) => sessions.close(client));
  broker.on("clientError", (client, error) => {
    log.debug("An MQTT client was refused something", { client: client?.id, error: error.message });
  });
  broker.on("connectionError", (_, error) => {
    log.debug("An MQTT connection failed", { error: error.message });
  });
  // Not declared by aedes: failures of its persistence and of wills, which must not end the process.
  (broker as unknown as NodeJS.EventEmitter).on("error", (error: unknown) => {
    log.warn("The embedded broker reported an error", { error });
  });

  async function admit(client: Client, username?: string, given?: Buffer): Promise<boolean> {
    if (username === undefined || given === undefined || given.length > 256) return false;
    if (username === BRIDGE_USER) {
      if (!equal(given, password) || !/^confab-bridge-\w+$/.test(client.id)) return false;
      throttle.free(client);
      return sessions.open(client, undefined);
    }
    const device = deviceOfUsername(username);
    if (device === undefined || !belongs(client.id, device)) return false;
    if (isFull()) return false;
    const attempt = sessions.attempt(client, device, username);
    if (attempt === undefined) return false;
    try {
      const answer = withDeadline(options.authenticate(device, given.toString(), username));
      if (!await answer || !attempt.stands() || isFull()) return false;
      throttle.limit(client, device);
      return sessions.open(client, { device, username });
    } finally {
      attempt.end();
    }
  }

  const throttle = new ReadThrottle(options.reads, log);
  const sockets = new Set<Socket>();
  const arrivals = new Arrivals(options.arrivals ?? { perAddress: 50, total: 200 }, log);
  const maxSockets = (options.maxConnections ?? 1000) + 1;
  const isFull = () => sockets.size - arrivals.size >= maxSockets;
  const server = createServer((socket) => {
    if (isFull()) return void socket.destroy();
    sockets.add(socket);
    arrivals.come(socket);
    socket.setNoDelay(true);
    socket.once("close", () => sockets.delete(socket));
    throttle.add(socket);
    const client = broker.handle(socket);
    throttle.follow(client);
    refuseMalformed(client, () => {
      log.debug("A malformed MQTT packet ended a connection", { client: client.id });
    });
  });
  const port = await listen(server, host, options.port).catch(async (error) => {
    await new Promise<void>((resolve) => broker.close(resolve));
    throw error;
  });
  const at = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return {
    port,
    bridge: {
      url: `mqtt://${at.includes(":") ? `[${at}]` : at}:${port}`,
      username: BRIDGE_USER,
      password,
    },
    kick: (device, good) => sessions.kick(device, good),
    async stop() {
      access.stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const gone = new Promise<void>((resolve) => broker.close(resolve));
      const deadline = setTimeout(() => sockets.forEach((socket) => socket.destroy()), 500);
      await gone;
      sockets.forEach((socket) => socket.destroy());
      await closed;
      clearTimeout(deadline);
    },
  };
}

function belongs(clientId: string, device: string): boolean {
  return clientId === device || (clientId.startsWith(`${device}-`) && clientId.length <= 128);
}

function equal(given: Buffer, expected: string): boolean {
  const wanted = Buffer.from(expected);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function badCredentials(): AuthenticateError {
  return refusal("Unknown device, wrong password, or too many connections", 4);
}

async function withDeadline(answer: Promise<boolean>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), AUTH_DEADLINE_MS);
  });
  return await Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

async function listen(server: Server, host: string, port: number | undefined): Promise<number> {
  for (let next = port ?? DEFAULT_PORT;; next++) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(next, host, () => {
          server.off("error", reject);
          resolve();
        });
      });
      const address = server.address();
      return typeof address === "object" && address !== null ? address.port : next;
    } catch (error) {
      const taken = (error as { code?: string }).code === "EADDRINUSE";
      if (port !== undefined || !taken || next > DEFAULT_PORT + 100) throw error;
    }
  }
}
