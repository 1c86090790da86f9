import { generateKeys } from "../lib/auth/keys.ts";
import type { Bench } from "./bench.ts";
import { figure } from "./figures.ts";

const TIMEOUT_MS = 20_000;

/**
 * From starting a process to its first answer on `/healthz`: the edge entry as Deno Deploy runs it,
 * and the smallest Hono app, in turns. Neither a database nor Redis is there: nothing may need them
 * before it listens. Deno's caches are warm, as they are on a host that has run the code before.
 */
export const coldStart: Bench = async ({ pins, quick, log }) => {
  const env = await edgeEnvironment();
  const edge: number[] = [];
  const bare: number[] = [];
  const runs = quick ? 3 : 15;
  for (let run = -2; run < runs; run++) { // the first two warm the caches
    log(`  cold start, run ${run + 1}`);
    const port = freePort();
    const edgeMs = await untilAnswer("../main.ts", port, { ...env, PORT: `${port}` }, pins.server);
    const bareMs = await untilAnswer("./bare_app.ts", port, {}, pins.server);
    if (run < 0) continue;
    edge.push(edgeMs);
    bare.push(bareMs);
  }
  const ratios = edge.map((ms, i) => ms / bare[i]!);
  return [
    figure("cold start, bare Hono app", "ms", bare),
    figure("cold start, edge entry", "ms", edge),
    figure("cold start, edge entry to bare app", "times", ratios, { atMost: 2.5 }),
  ];
};

async function edgeEnvironment(): Promise<Record<string, string>> {
  const { jwtPrivateJwk, deviceKey } = await generateKeys();
  return {
    DENO_DEPLOY: "1",
    HOST: "127.0.0.1",
    PUBLIC_URL: "https://chat.example.org",
    DATABASE_URL: "postgres://somebody@db.example.org/confab",
    DATABASE_DRIVER: "neon",
    NEON_FETCH_ENDPOINT: "http://127.0.0.1:9/sql",
    UPSTASH_REDIS_REST_URL: "http://127.0.0.1:9",
    UPSTASH_REDIS_REST_TOKEN: "none",
    JWT_PRIVATE_JWK: jwtPrivateJwk,
    DEVICE_KEY: deviceKey,
    LOG_LEVEL: "silent",
  };
}

async function untilAnswer(
  file: string,
  port: number,
  env: Record<string, string>,
  cores: string | undefined,
): Promise<number> {
  const args = ["run", "-A", new URL(file, import.meta.url).pathname, `${port}`];
  const quiet = { env, stdin: "null", stdout: "null", stderr: "inherit" } as const;
  const start = performance.now();
  const child = cores === undefined
    ? new Deno.Command(Deno.execPath(), { ...quiet, args }).spawn()
    : new Deno.Command("taskset", { ...quiet, args: ["-c", cores, Deno.execPath(), ...args] })
      .spawn();
  try {
    while (!await answers(port)) {
      if (performance.now() - start > TIMEOUT_MS) throw new Error(`${file} does not answer`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return performance.now() - start;
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}

async function answers(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** A port that is free now, below those of outgoing connections. */
function freePort(): number {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
