import { ConfigError } from "../lib/config.ts";

const DEFAULT_PORT = 8000;
const PORT_TRIES = 100;

/** A server that listens. */
export interface Listening {
  server: Deno.HttpServer<Deno.NetAddr>;
  /** Where this machine reaches it. */
  url: string;
  /** The port that was asked for by default, when it was taken. */
  steppedOver: number | undefined;
}

/**
 * Listens on a port that is given, or on 8000 or the next free one. Throws ConfigError when nobody
 * could listen there.
 */
export function listen(
  { host: hostname, port }: { host: string; port: number | undefined },
  handler: Deno.ServeHandler<Deno.NetAddr>,
): Listening {
  for (let candidate = port ?? DEFAULT_PORT;; candidate++) {
    try {
      const server = Deno.serve({ hostname, port: candidate, onListen: () => {} }, handler);
      const steppedOver = port === undefined && candidate !== DEFAULT_PORT;
      return { server, url: urlOf(server), steppedOver: steppedOver ? DEFAULT_PORT : undefined };
    } catch (error) {
      const taken = error instanceof Deno.errors.AddrInUse;
      if (taken && port === undefined && candidate < DEFAULT_PORT + PORT_TRIES) continue;
      if (taken) throw new ConfigError(`PORT: ${candidate} on ${hostname} is taken`);
      const { message } = error as Error;
      throw new ConfigError(`HOST, PORT: cannot listen on ${hostname}:${candidate}: ${message}`);
    }
  }
}

function urlOf({ addr: { hostname, port } }: Deno.HttpServer<Deno.NetAddr>): string {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return `http://${host === "0.0.0.0" ? "127.0.0.1" : host}:${port}`;
}
