/**
 * The role `web` alone, as the server under test: what `main.ts` starts, without workers; with the
 * role `bridge` where the environment names a broker or a port for an own one. The first job is the environment to read; the
 * answer says where it listens.
 */
import { readConfig } from "../lib/config.ts";
import { createLog } from "../lib/log.ts";
import { openServices } from "../lib/services.ts";
import { startWeb } from "../routes/web.ts";
import { answerJobs } from "./lines.ts";

/** A lease that is not given back keeps the next bridge waiting. */
let stopBridge = () => Promise.resolve();

await answerJobs(async ({ env }: { env: Record<string, string> }) => {
  const services = await openServices(readConfig(env), { log: createLog("error") });
  if (env.MQTT_URL !== undefined || env.MQTT_PORT !== undefined) {
    const { startBridgeRole } = await import("../mqtt-bridge/role.ts");
    const role = await startBridgeRole(services);
    stopBridge = () => role.stop();
  }
  return { port: Number(new URL(startWeb(services, () => undefined).url).port) };
}, () => stopBridge());
