import type { Services } from "../lib/services.ts";
import { within } from "../lib/within.ts";
import { Api } from "./api.ts";
import { healthRoutes } from "./health.ts";
import { listen } from "./listen.ts";

const FINISH_MS = 400;

/**
 * Serves `/healthz`, `/readyz` and `/metrics`, and nothing else, where the role `web` is not: not on
 * `PORT`, which that role could not have then. A port that is taken costs only these.
 */
export function startProbes(
  services: Pick<Services, "config" | "checks" | "log" | "metrics">,
): { url: string | undefined; stop(): Promise<void> } {
  const { config, log } = services;
  const api = new Api();
  healthRoutes(api, services);
  try {
    const { host, probesPort: port } = config;
    const { server, url } = listen({ host, port }, (request) => api.app.fetch(request));
    log.info("Probes are answered", { url });
    return { url, stop: async () => void await within(FINISH_MS, server.shutdown()) };
  } catch (error) {
    log.warn("Nobody can ask how this process is", { error });
    return { url: undefined, stop: () => Promise.resolve() };
  }
}
