import type { AuthContext, Keys } from "../lib/auth/mod.ts";
import type { Principal } from "../lib/auth/principal.ts";
import type { ChatContext } from "../lib/chat/context.ts";
import type { Config } from "../lib/config.ts";
import type { Quota } from "../lib/limits/quota.ts";
import type { Log } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { MqttEndpoint } from "./mqtt_endpoint.ts";
import type { SocketContext } from "./socket_context.ts";

/** What the routes work with. */
export interface RouteContext {
  config: Config;
  chat: ChatContext;
  accounts: AuthContext;
  keys: Pick<Keys, "jwks">;
  log: Log;
  metrics: Metrics;
  /** One call per service that must answer before this node is ready; each throws when it does not. */
  checks: Record<string, () => Promise<void>>;
  /** Undefined while no broker is known: then no device can be given its credentials. */
  mqttEndpoint(): MqttEndpoint | undefined;
  /** What the connections that stay open work with. */
  live: SocketContext;
  /** The MQTT password of a device. */
  secretOf(deviceId: string, generation: number): Promise<string>;
}

/** What the middleware has found out about a request. */
export interface Variables {
  context: RouteContext;
  requestId: string;
  /** The client's IP address, or a name for "unknown". */
  address: string;
  /** Who the bearer token stands for. */
  principal: Principal | undefined;
  /** Why the bearer token was refused. */
  refusal: unknown;
  /** Requests per principal or address. */
  requests: Quota;
}

/** Hono's environment in this app; the bindings are what `Deno.serve` tells about a connection. */
export interface AppEnv {
  Variables: Variables;
  Bindings: Partial<Deno.ServeHandlerInfo>;
}
