import { authenticate, redeemTicket } from "../lib/auth/mod.ts";
import { deviceSecret } from "../lib/auth/devices.ts";
import type { Services } from "../lib/services.ts";
import { within } from "../lib/within.ts";
import { createApp } from "./app.ts";
import type { RouteContext } from "./context.ts";
import { listen } from "./listen.ts";
import type { MqttEndpoint } from "./mqtt_endpoint.ts";
import { startNode } from "./node.ts";
import type { SocketContext } from "./socket_context.ts";

/** Milliseconds that what was asked over connections, and then open requests, may take. */
const FINISH_MS = { connections: 1900, requests: 400 };

/** A running web role. */
export interface Web {
  /** Where it listens, such as `http://127.0.0.1:8000`. */
  url: string;
  /** The port that was asked for by default, when it was taken. */
  steppedOver: number | undefined;
  /** Leaves politely: commits in flight are answered, sockets are told to come back. */
  stop(): Promise<void>;
}

/** Starts the role `web`: REST, WebSocket, SSE and the web client. */
export function startWeb(
  services: Services,
  mqttEndpoint: () => MqttEndpoint | undefined,
): Web {
  const { config, chat, auth, log, keys } = services;
  const node = startNode(services);
  const socketContext: SocketContext = {
    config,
    chat,
    hub: node.hub,
    connections: node.connections,
    admission: node.admission,
    presence: node.presence,
    authenticate: (bearer) => authenticate(auth, bearer),
    redeemTicket: (ticket) => redeemTicket(auth, ticket),
    epoch: services.epoch,
    log,
  };
  const context: RouteContext = {
    config,
    chat,
    accounts: auth,
    keys,
    log,
    metrics: services.metrics,
    checks: services.checks,
    mqttEndpoint,
    secretOf: (device, generation) => deviceSecret(keys.deviceKey, device, generation),
    live: socketContext,
  };
  const app = createApp(context);
  const handler: Deno.ServeHandler<Deno.NetAddr> = async (request, info) => {
    // A failure shows itself in whatever the request needs the database for.
    if (services.epoch.value === "" && !request.url.endsWith("/healthz")) {
      await services.ready().catch(() => {});
    }
    return await app.fetch(request, info);
  };
  const { server, url, steppedOver } = listen(config, handler);
  return {
    url,
    steppedOver,
    async stop() {
      const stopped = node.stop();
      // Before the server: it would cut off those that are being closed.
      await allGone(node.connections, FINISH_MS.connections);
      await within(FINISH_MS.requests, Promise.all([stopped, server.shutdown()]));
    },
  };
}

/** Waits until the last connection has closed, but not longer than `ms`. */
async function allGone(connections: { readonly size: number }, ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (connections.size > 0 && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
