import type { Context, Hono } from "hono";
import { ConfabError } from "../lib/errors.ts";
import { Quota } from "../lib/limits/quota.ts";
import { admit } from "./admission.ts";
import { Api } from "./api.ts";
import { authRoutes } from "./auth.ts";
import { commandRoutes } from "./commands.ts";
import type { AppEnv, RouteContext } from "./context.ts";
import { dataSchemaRoutes } from "./data_schemas.ts";
import { devicePresenceRoutes } from "./device_presence.ts";
import { deviceStateRoutes } from "./device_states.ts";
import { deviceRoutes } from "./devices.ts";
import { docsRoutes } from "./docs.ts";
import { protect } from "./headers.ts";
import { healthRoutes } from "./health.ts";
import { identify } from "./identity.ts";
import { liveRoutes } from "./live.ts";
import { memberRoutes } from "./members.ts";
import { messageRoutes } from "./messages.ts";
import { pageRoutes } from "./page.ts";
import { presenceRoutes } from "./presence.ts";
import { answerError, problemResponse } from "./problem.ts";
import { observe } from "./request_log.ts";
import { roomRoutes } from "./rooms.ts";
import { telemetryRoutes } from "./telemetry.ts";
import { tokenRoutes } from "./tokens.ts";
import { userRoutes } from "./users.ts";

/** Makes the HTTP side of a node; the result also knows its endpoints. */
export function createApi(context: RouteContext): Api {
  const api = new Api();
  const { app } = api;
  const { requestsPerSecond } = context.config.limits;
  const requests = new Quota({ perSecond: requestsPerSecond, burst: 3 * requestsPerSecond });
  app.use(async (c, next) => {
    c.set("context", context);
    c.set("requests", requests);
    await next();
  });
  app.use(observe(context));
  app.use(protect);
  app.use(admit);
  app.use(identify);
  app.onError(answerError);
  app.notFound((c) => nothingHere(app, c));
  authRoutes(api);
  tokenRoutes(api);
  userRoutes(api);
  roomRoutes(api);
  memberRoutes(api);
  presenceRoutes(api);
  messageRoutes(api);
  deviceRoutes(api);
  dataSchemaRoutes(api);
  devicePresenceRoutes(api);
  commandRoutes(api);
  deviceStateRoutes(api);
  telemetryRoutes(api);
  healthRoutes(api, context);
  liveRoutes(api, context.live);
  docsRoutes(api, context);
  app.route("/", pageRoutes());
  return api;
}

/**
 * The app of a node. `Deno.serve` must hand on what it knows about the connection:
 * `(request, info) => app.fetch(request, info)`.
 */
export function createApp(context: RouteContext): Hono<AppEnv> {
  return createApi(context).app;
}

/** 404 where no path fits; 405 with what is allowed where another method would have fit. */
function nothingHere(app: Hono<AppEnv>, c: Context<AppEnv>): Response {
  const allowed = new Set<string>();
  for (const { method, path } of app.routes) {
    if (method !== "ALL" && matches(path, c.req.path)) allowed.add(method);
  }
  if (allowed.size === 0) return problemResponse(new ConfabError("not_found"), c);
  if (allowed.has("GET")) allowed.add("HEAD");
  const error = new ConfabError("method_not_allowed");
  return problemResponse(error, c, { allow: [...allowed].sort().join(", ") });
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = path.split("/");
  return wanted.length === given.length &&
    wanted.every((part, i) => part === given[i] || (part.startsWith(":") && given[i] !== ""));
}
