import { aclFile } from "../mqtt-bridge/mosquitto/acl.ts";
import { mosquittoConf } from "../mqtt-bridge/mosquitto/conf.ts";
import { dynsecFile } from "../mqtt-bridge/mosquitto/dynsec.ts";
import { findMosquitto, freePort } from "../testing/mosquitto.ts";
import { until } from "../testing/until.ts";
import { type Measured, onCores } from "./process.ts";
import { listens } from "./redis.ts";

/** A Mosquitto of its own; gone with its folder afterwards. */
export interface Broker extends AsyncDisposable, Measured {
  port: number;
}

/** A broker that the role `bridge` can use. */
export interface BridgeBroker extends Broker {
  credentials: { username: string; password: string };
}

const PLUGINS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"];

/** Why Mosquitto cannot be measured here; undefined when it can. */
export async function mosquittoMissing(): Promise<string | undefined> {
  return (await findMosquitto()).missing;
}

/** A broker for everybody over WebSocket, without persistence, for clients that come and go. */
export function startPeerBroker(cores: string | undefined): Promise<Broker> {
  return start(cores, (port) => [
    // Version 2.0 does not start without a listener over TCP.
    `listener ${freePort()} 127.0.0.1`,
    `listener ${port} 127.0.0.1`,
    "protocol websockets",
    "socket_domain ipv4",
    "allow_anonymous true",
    "persistence false",
    "set_tcp_nodelay true",
    "max_queued_messages 0",
    "log_dest none",
  ]);
}

/**
 * The broker of a bridge: the configuration that Confab ships, or, when not `durable`, the same
 * with Mosquitto's own default persistence, which writes its file every half hour. `dynsec` makes
 * the file of the dynamic security plugin; absent: it knows the bridge alone.
 */
export async function startBridgeBroker(
  cores: string | undefined,
  durable: boolean,
  dynsec: (bridge: BridgeBroker["credentials"]) => string = dynsecFile,
): Promise<BridgeBroker> {
  const credentials = { username: "confab-bridge", password: crypto.randomUUID() };
  const broker = await start(cores, async (port, dir) => {
    await Deno.writeTextFile(`${dir}/dynsec.json`, dynsec(credentials));
    const acl = aclFile({ prefix: "confab/", bridgeUser: credentials.username });
    await Deno.writeTextFile(`${dir}/acl`, acl);
    const conf = mosquittoConf({
      listener: `${port} 127.0.0.1`,
      plugin: PLUGINS.map((folder) => `${folder}/mosquitto_dynamic_security.so`).find(exists)!,
      dynsecFile: `${dir}/dynsec.json`,
      aclFile: `${dir}/acl`,
      dataDir: `${dir}/`,
    });
    return [durable ? conf : conf.replace(/^autosave_.*\n/gm, "")];
  });
  return Object.assign(broker, { credentials });
}

async function start(
  cores: string | undefined,
  conf: (port: number, dir: string) => string[] | Promise<string[]>,
): Promise<Broker> {
  const dir = await Deno.makeTempDir({ prefix: "confab-bench-mosquitto-" });
  const port = freePort();
  const lines = await conf(port, dir);
  // Started by root, it would become the user "mosquitto", who may not read this folder.
  if (Deno.uid() === 0) lines.push("user root");
  await Deno.writeTextFile(`${dir}/conf`, `${lines.join("\n")}\n`);
  const { command, args } = onCores(cores, "mosquitto", ["-c", `${dir}/conf`]);
  const quiet = { stdin: "null", stdout: "null", stderr: "null" } as const;
  const child = new Deno.Command(command, { args, ...quiet }).spawn();
  let ended = false;
  void child.status.then(() => ended = true);
  const stop = async () => {
    if (!ended) child.kill("SIGKILL");
    await child.status;
    await Deno.remove(dir, { recursive: true });
  };
  try {
    await until("Mosquitto listens", () => listens(port));
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, pid: child.pid, [Symbol.asyncDispose]: stop };
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
