import { freePort } from "../testing/mosquitto.ts";
import { until } from "../testing/until.ts";
import { onCores } from "./process.ts";

/** A Redis for one run, without persistence; undefined when `redis-server` is not there. */
export async function startRedis(
  cores: string | undefined,
): Promise<(AsyncDisposable & { url: string }) | undefined> {
  const port = freePort();
  const options = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const { command, args } = onCores(cores, "redis-server", options);
  const quiet = { stdin: "null", stdout: "null", stderr: "null" } as const;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(command, { args, ...quiet }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  let ended = false;
  void child.status.then(() => ended = true);
  await until("Redis listens", async () => ended || await listens(port));
  if (ended) return undefined; // taskset found no redis-server
  return {
    url: `redis://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

/** Whether somebody listens on a port of this machine. */
export async function listens(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}
