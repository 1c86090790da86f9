/**
 * The entry point of every shape: configuration, services, roles; and the way back in reverse.
 * Deno Deploy, `deno task dev`, `deno task start` and the containers all run this file.
 */
import { type Config, ConfigError, readConfig } from "./lib/config.ts";
import { createLog, type Log } from "./lib/log.ts";
import { openServices, type Services } from "./lib/services.ts";
import { endpointOf, type MqttEndpoint } from "./routes/mqtt_endpoint.ts";
import { within } from "./lib/within.ts";
import { startWeb, type Web } from "./routes/web.ts";

/** Milliseconds after a signal until the process ends, whatever still hangs. */
const LEAVE_MS = 3900;
/** By then services that do not answer are left as they are: what they hold is kept or repeated. */
const CLOSED_MS = 3700;

interface Running {
  web: Web | undefined;
  broker: MqttEndpoint | undefined;
  stop(): Promise<void>;
}

/** Starts the roles that the configuration asks for. Whatever had started is stopped on failure. */
async function startRoles(services: Services): Promise<Running> {
  const { config } = services;
  const roles: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    for (const role of roles.reverse()) await role.stop();
  };
  let broker = endpointOf(config.mqtt.broker?.publicUrl);
  let web: Web | undefined;
  try {
    if (config.roles.includes("workers")) {
      const { startWorkers } = await import("./workers/workers.ts");
      roles.push(startWorkers(services));
    }
    if (config.roles.includes("bridge")) {
      const { startBridgeRole } = await import("./mqtt-bridge/role.ts");
      const bridge = await startBridgeRole(services);
      roles.push(bridge);
      broker ??= bridge.endpoint;
    }
    if (config.roles.includes("web")) {
      web = startWeb(services, () => broker);
      roles.push(web);
    } else if (config.probesPort !== undefined) {
      const { startProbes } = await import("./routes/probes.ts");
      roles.push(startProbes(services));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { web, broker, stop };
}

/** Resolves at the first SIGINT or SIGTERM, or when `ended` does. */
function untilAsked(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      if (signal === "SIGTERM" && Deno.build.os === "windows") continue;
      Deno.addSignalListener(signal, resolve);
    }
  });
}

async function leave(running: Running, services: Services, log: Log): Promise<never> {
  const end = performance.now() + CLOSED_MS;
  await running.stop();
  await within(end - performance.now(), services[Symbol.asyncDispose]());
  log.info("Stopped");
  Deno.exit(0);
}

/** Ends the process when it takes too long after the signal, also while it is still starting. */
function endInTime(log: Log): void {
  setTimeout(() => {
    log.error("Leaving took too long");
    Deno.exit(1);
  }, LEAVE_MS);
}

async function main(config: Config): Promise<void> {
  const log = createLog(config.logLevel);
  const embedded = config.database.driver === "embedded";
  // deno-lint-ignore no-console -- what people read while it starts
  const say = embedded ? (line: string) => console.log(line) : undefined;
  const asked = untilAsked();
  void asked.then(() => endInTime(log));
  const startedAt = performance.now();
  const services = await openServices(config, {
    log,
    ...(say === undefined ? {} : { progress: say }),
  });
  log.info("Services", { ...services.choices, roles: config.roles.join(",") });
  const running = await startRoles(services).catch(async (error) => {
    await services[Symbol.asyncDispose]();
    throw error;
  });
  if (running.web !== undefined) log.info("Listening", { url: running.web.url });
  if (say !== undefined) {
    const { greet } = await import("./lib/greeting.ts");
    await greet(services, { ...running, seconds: (performance.now() - startedAt) / 1000 }, say);
  }
  await asked;
  await leave(running, services, log);
}

if (import.meta.main) {
  try {
    await main(readConfig(Deno.env.toObject()));
  } catch (error) {
    const expected = error instanceof ConfigError ||
      (error instanceof Error && error.name === "EmbeddedError");
    // deno-lint-ignore no-console -- the reason why nothing starts
    console.error(expected ? `Confab cannot start.\n${(error as Error).message}` : error);
    Deno.exit(1);
  }
}
