import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "./context.ts";

const ALWAYS: [string, string][] = [
  ["x-content-type-options", "nosniff"],
  ["referrer-policy", "no-referrer"],
  ["cross-origin-resource-policy", "cross-origin"],
];
/** Set unless the route has set its own. */
const BY_DEFAULT: [string, string][] = [
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"],
  ["cache-control", "no-store"],
];
const METHODS = "GET, POST, PUT, PATCH, DELETE";
const REQUEST_HEADERS = "authorization, content-type, last-event-id, x-request-id";
const RESPONSE_HEADERS = "retry-after, x-request-id";

/**
 * Headers that make browsers careful, and CORS for the configured origins: exact matches, never
 * with credentials, since cookies mean nothing here. Upgrades are left alone.
 */
export const protect: MiddlewareHandler<AppEnv> = async (c, next) => {
  const { config } = c.var.context;
  const origin = c.req.raw.headers.get("origin");
  const allowed = origin !== null && config.allowedOrigins.includes(origin);
  if (allowed && c.req.method === "OPTIONS") {
    return new Response(null, {
      status: 204,
      headers: {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": METHODS,
        "access-control-allow-headers": REQUEST_HEADERS,
        "access-control-max-age": "7200",
        "x-request-id": c.var.requestId,
        vary: "Origin",
      },
    });
  }
  await next();
  if (c.res.status === 101) return;
  const { headers } = c.res;
  for (const [name, value] of ALWAYS) headers.set(name, value);
  for (const [name, value] of BY_DEFAULT) if (!headers.has(name)) headers.set(name, value);
  if (config.publicUrl?.startsWith("https:")) {
    headers.set("strict-transport-security", "max-age=31536000");
  }
  if (config.allowedOrigins.length > 0) headers.append("vary", "Origin");
  if (allowed) {
    headers.set("access-control-allow-origin", origin);
    headers.set("access-control-expose-headers", RESPONSE_HEADERS);
  }
};
