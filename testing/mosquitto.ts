/**
 * A real Mosquitto for tests: the binary of this machine, started on a free port with the
 * configuration that the project ships, and its own folder.
 */
import { aclFile } from "../mqtt-bridge/mosquitto/acl.ts";
import { mosquittoConf } from "../mqtt-bridge/mosquitto/conf.ts";
import { dynsecFile } from "../mqtt-bridge/mosquitto/dynsec.ts";
import { findService, type Service } from "./services.ts";

const PLUGINS = [
  "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so",
  "/usr/lib/aarch64-linux-gnu/mosquitto_dynamic_security.so",
  "/usr/lib/mosquitto_dynamic_security.so",
  "/usr/local/lib/mosquitto_dynamic_security.so",
  "/opt/homebrew/lib/mosquitto_dynamic_security.so",
];

/** A running broker; it keeps its folder through `kill()` and `start()`. */
export interface TestMosquitto extends AsyncDisposable {
  url: string;
  port: number;
  bridge: { username: string; password: string };
  start(): Promise<void>;
  /** Ends it with this signal and waits for its end. */
  kill(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Starts it again without anything that it had, but with these credentials (a whole file). */
  startAnew(credentials?: string): Promise<void>;
}

/** Looks for a Mosquitto 2 on the PATH and its dynamic security plugin. */
export function findMosquitto(): Promise<Service> {
  return findService("Mosquitto 2", async () => {
    const { stdout, stderr } = await new Deno.Command("mosquitto", { args: ["-h"] }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    if (!/mosquitto version 2/.test(text)) throw new Error("mosquitto is not version 2");
    if (plugin() === undefined) throw new Error("its dynamic security plugin was not found");
  });
}

function plugin(): string | undefined {
  return PLUGINS.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/**
 * Writes the shipped configuration into `dir`, for topics under `prefix`; `mosquitto -c {dir}/conf`
 * runs it. Resolves to the bridge's account.
 */
export async function configureMosquitto(
  dir: string,
  port: number,
  prefix = "confab/",
): Promise<TestMosquitto["bridge"]> {
  const bridge = { username: "confab-bridge", password: crypto.randomUUID() };
  await Deno.writeTextFile(`${dir}/dynsec.json`, dynsecFile(bridge));
  await Deno.writeTextFile(`${dir}/acl`, aclFile({ prefix, bridgeUser: bridge.username }));
  const conf = mosquittoConf({
    listener: `${port} 127.0.0.1`,
    plugin: plugin()!,
    dynsecFile: `${dir}/dynsec.json`,
    aclFile: `${dir}/acl`,
    dataDir: `${dir}/`,
  });
  // Started by root, it would become the user "mosquitto", who may not read this folder.
  await Deno.writeTextFile(`${dir}/conf`, Deno.uid() === 0 ? `${conf}user root\n` : conf);
  return bridge;
}

/** Starts a broker with the shipped configuration and `more`, for topics under `prefix`. */
export async function startMosquitto(prefix = "confab/", more = ""): Promise<TestMosquitto> {
  const dir = await Deno.makeTempDir({ prefix: "confab-mosquitto-" });
  const port = freePort();
  const bridge = await configureMosquitto(dir, port, prefix);
  await Deno.writeTextFile(`${dir}/conf`, more, { append: true });
  let child: Deno.ChildProcess | undefined;
  const broker: TestMosquitto = {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    bridge,
    async start() {
      const args = ["-c", `${dir}/conf`];
      const output = { stdin: "null", stdout: "null", stderr: "null" } as const;
      child = new Deno.Command("mosquitto", { args, ...output }).spawn();
      await listening(port);
    },
    async kill(signal = "SIGTERM") {
      child?.kill(signal);
      await child?.status;
      child = undefined;
    },
    async startAnew(credentials = dynsecFile(bridge)) {
      await broker.kill("SIGKILL");
      await Deno.writeTextFile(`${dir}/dynsec.json`, credentials);
      await Deno.remove(`${dir}/mosquitto.db`).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
      await broker.start();
    },
    async [Symbol.asyncDispose]() {
      await broker.kill("SIGKILL");
      await Deno.remove(dir, { recursive: true });
    },
  };
  await broker.start();
  return broker;
}

/** A port below the range from which the system takes those of outgoing connections. */
export function freePort(): number {
  for (let tries = 0; tries < 100; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 11_999);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error("No free port was found");
}

async function listening(port: number): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (performance.now() < deadline) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new Error(`Mosquitto did not listen on port ${port} within 10 s`);
}
