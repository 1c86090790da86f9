import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "./context.ts";

const LIVE = /^\/v1\/(socket|rooms\/[^/]+\/stream)$/;

/**
 * Refuses new sockets and streams while the node has too much to do, before anybody is identified:
 * what a refusal costs is all that an overloaded node spends on those who come.
 */
export const admit: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (c.req.method === "GET" && LIVE.test(c.req.path)) c.var.context.live.admission.check();
  await next();
};
