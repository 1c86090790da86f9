import type { Context, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import type { Metrics } from "../lib/metrics.ts";
import type { AppEnv, RouteContext } from "./context.ts";
import { clientAddress } from "./address.ts";

/** An id that a caller may choose: harmless in a log and in a header. */
const SANE_ID = /^[A-Za-z0-9._:-]{8,64}$/;

/**
 * Gives every request its id, and its line in the log when it is done: the route's pattern and
 * never the URL, which may hold a ticket.
 */
export function observe(context: RouteContext): MiddlewareHandler<AppEnv> {
  const { requests, seconds } = requestMetrics(context.metrics);
  return async (c, next) => {
    const start = performance.now();
    const given = c.req.raw.headers.get("x-request-id") ?? "";
    const requestId = SANE_ID.test(given) ? given : crypto.randomUUID();
    c.set("requestId", requestId);
    const { headers } = c.req.raw;
    c.set("address", clientAddress(headers, c.env?.remoteAddr, context.config.trustProxy));
    await next();
    const ms = performance.now() - start;
    const { status } = c.res;
    if (status !== 101) c.res.headers.set("x-request-id", requestId);
    const route = routeOf(c);
    requests.add([c.req.method, route, status]);
    if (status !== 101) seconds.observe(ms / 1000, [route]);
    context.log.info("Request", {
      requestId,
      method: c.req.method,
      route,
      status,
      ms: Math.round(ms * 10) / 10,
      ...(c.var.principal === undefined ? {} : { principal: c.var.principal.id }),
    });
  };
}

function requestMetrics(metrics: Metrics) {
  return {
    requests: metrics.counter(
      "confab_http_requests_total",
      "HTTP requests by method, route and status",
      ["method", "route", "status"],
    ),
    seconds: metrics.histogram(
      "confab_http_request_seconds",
      "Seconds until the response began, by route",
      undefined,
      ["route"],
    ),
  };
}

/** The pattern of the route that answered, such as `/v1/rooms/:room`. */
function routeOf(c: Context<AppEnv>): string {
  return matchedRoutes(c).findLast(({ method }) => method !== "ALL")?.path ?? "none";
}
