import { assertEquals, assertMatch } from "@std/assert";
import { createLog } from "../lib/log.ts";
import { Metrics } from "../lib/metrics.ts";
import { readConfig } from "../lib/config.ts";
import { freePort } from "../testing/mosquitto.ts";
import { listen } from "./listen.ts";
import { startProbes } from "./probes.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("a process without the role web answers probes and nothing else", strict, async () => {
  const metrics = new Metrics();
  metrics.counter("confab_telemetry_readings_total", "Readings").add([], 7);
  const log = createLog("silent");
  // On one machine all roles may share their variables.
  const [web, port] = [freePort(), freePort()];
  const config = readConfig({ PORT: `${web}`, PROBES_PORT: `${port}` });
  const checks = { database: () => Promise.reject(new Error("Down")) };
  const probes = startProbes({ config, checks, log, metrics });
  assertEquals(probes.url, `http://127.0.0.1:${port}`);
  const get = async (path: string) => {
    const answer = await fetch(`${probes.url}${path}`);
    return [answer.status, await answer.text()] as const;
  };
  assertEquals(await get("/healthz"), [200, '{"status":"ok"}']);
  const [status, ready] = await get("/readyz");
  assertEquals([status, JSON.parse(ready).checks.database.ok], [503, false]);
  assertMatch((await get("/metrics"))[1], /^confab_telemetry_readings_total 7$/m);
  assertEquals([(await get("/"))[0], (await get("/v1/me"))[0]], [404, 404]);
  const { server } = listen(config, () => new Response("web"));
  assertEquals(server.addr.port, web, "the role web may come later");
  const other = startProbes({ config, checks, log, metrics });
  assertEquals(other.url, undefined, "what the process is there for goes on");
  await Promise.all([other.stop(), probes.stop(), server.shutdown()]);
});
