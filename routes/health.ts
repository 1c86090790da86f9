import { z } from "zod";
import type { Api } from "./api.ts";
import type { RouteContext } from "./context.ts";
import { readinessOf } from "./readiness.ts";

const readiness = z.object({
  status: z.enum(["ok", "unavailable"]),
  checks: z.record(z.string(), z.object({ ok: z.boolean(), ms: z.number() })),
});

/** How the server is doing, for probes and for Prometheus. */
export function healthRoutes(
  api: Api,
  { checks, log, metrics }: Pick<RouteContext, "checks" | "log" | "metrics">,
): void {
  const ready = readinessOf(checks, (name, error) => {
    log.warn("A service is not ready", { service: name, error });
  });
  api.addOpen({
    method: "GET",
    path: "/healthz",
    name: "health",
    tag: "Service",
    summary: "Whether the process is alive",
    access: "anyone",
    responses: {
      200: { description: "It is", schema: z.object({ status: z.literal("ok") }) },
    },
  }, () => ({ status: 200, body: { status: "ok" as const } }));
  api.addOpen({
    method: "GET",
    path: "/readyz",
    name: "readiness",
    tag: "Service",
    summary: "Whether the services it depends on answer",
    access: "anyone",
    responses: {
      200: { description: "All do", schema: readiness },
      503: { description: "Some do not", schema: readiness },
    },
  }, async () => {
    const { ok, checks } = await ready();
    return ok
      ? { status: 200, body: { status: "ok" as const, checks } }
      : { status: 503, body: { status: "unavailable" as const, checks } };
  });
  api.addRaw(
    {
      method: "GET",
      path: "/metrics",
      name: "metrics",
      tag: "Service",
      summary: "Metrics for Prometheus",
      access: "anyone",
      responses: { 200: { description: "Text format 0.0.4", mediaType: "text/plain" } },
    },
    () =>
      new Response(metrics.render(), { headers: { "content-type": "text/plain; version=0.0.4" } }),
  );
}
