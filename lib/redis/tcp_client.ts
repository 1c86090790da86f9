import { Redis as Client } from "ioredis";
import { backoffMs } from "../backoff.ts";
import type { Log } from "../log.ts";

export type { Client };

/** How long a socket may take to close before it is destroyed, in milliseconds. */
const DISCONNECT_MS = 100;

/** Connects in the background and for ever; nothing is queued while the server is away. */
export function connectClient(url: string, log: Log, deadlineMs: number): Client {
  const client = new Client(url, {
    protocol: 2,
    commandTimeout: deadlineMs,
    connectTimeout: deadlineMs,
    socketTimeout: 2 * deadlineMs,
    disconnectTimeout: DISCONNECT_MS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    disableClientInfo: true,
    retryStrategy: (attempt) => backoffMs(attempt),
  });
  let down = false;
  client.on("error", (error: Error) => {
    if (!down) log.warn("Redis does not answer", { error: error.message });
    down = true;
  });
  client.on("ready", () => {
    if (down) log.info("Redis answers again");
    down = false;
  });
  return client;
}

/** Resolves when the client is ready, and also when the deadline passed; never rejects. */
export function untilReady(client: Client, deadlineMs: number): Promise<void> {
  if (client.status === "ready" || client.status === "end") return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      client.off("ready", end).off("end", end);
      resolve();
    };
    const timer = setTimeout(end, deadlineMs);
    client.on("ready", end).on("end", end);
  });
}

/** Closes the connection and waits until its socket is gone. */
export function closeClient(client: Client): Promise<void> {
  if (client.status === "end") return Promise.resolve();
  // Between two sockets no event follows, but the client's own timer for the old one still runs.
  const waitMs = client.status === "reconnecting" ? DISCONNECT_MS + 20 : 1_000;
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(end, waitMs);
    client.once("end", end);
    client.disconnect();
  });
}
