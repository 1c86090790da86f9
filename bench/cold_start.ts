import { generateKeys } from "../lib/auth/keys.ts";
import { freePort } from "../testing/mosquitto.ts";
import type { Bench } from "./bench.ts";
import { figure } from "./figures.ts";
import { onCores } from "./process.ts";
import { listens } from "./redis.ts";

const TIMEOUT_MS = 20_000;

/**
 * From starting a process to when it listens, and to its first answer on `/healthz`: the edge entry
 * as Deno Deploy runs it, and the smallest Hono app, in turns. Neither a database nor Redis is there:
 * nothing may need them before it listens. Deno's caches are warm, as they are on a host that has
 * run the code before.
 */
export const coldStart: Bench = async ({ pins, runs, pick, log }) => {
  const env = await edgeEnvironment();
  const edge: Start[] = [];
  const bare: Start[] = [];
  for (let run = pick(-2, -1, 0); run < runs * pick(3, 3, 1); run++) { // the first warm the caches
    log(`  cold start, run ${run + 1}`);
    const port = freePort();
    const one = await start("../main.ts", port, { ...env, PORT: `${port}` }, pins.server);
    const other = await start("./bare_app.ts", port, {}, pins.server);
    if (run < 0) continue;
    edge.push(one);
    bare.push(other);
  }
  const ratios = (of: keyof Start) => edge.map((one, i) => one[of] / bare[i]![of]);
  return [
    figure("bare Hono app, to listening", "ms", bare.map(({ listeningMs }) => listeningMs)),
    figure("edge entry, to listening", "ms", edge.map(({ listeningMs }) => listeningMs)),
    figure("edge entry to bare app, to listening", "times", ratios("listeningMs"), {
      goal: { atMost: 2.5 },
    }),
    figure("bare Hono app, to the first answer", "ms", bare.map(({ answerMs }) => answerMs)),
    figure("edge entry, to the first answer", "ms", edge.map(({ answerMs }) => answerMs)),
    figure("edge entry to bare app, to the first answer", "times", ratios("answerMs")),
  ];
};

interface Start {
  listeningMs: number;
  answerMs: number;
}

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

async function start(
  file: string,
  port: number,
  env: Record<string, string>,
  cores: string | undefined,
): Promise<Start> {
  const entry = new URL(file, import.meta.url).pathname;
  const { command, args } = onCores(cores, Deno.execPath(), ["run", "-A", entry, `${port}`]);
  const quiet = { stdin: "null", stdout: "null", stderr: "inherit" } as const;
  const begin = performance.now();
  const child = new Deno.Command(command, { ...quiet, env, args }).spawn();
  try {
    while (!await listens(port)) {
      if (performance.now() - begin > TIMEOUT_MS) throw new Error(`${file} does not listen`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const listeningMs = performance.now() - begin;
    const response = await fetch(`http://127.0.0.1:${port}/healthz`);
    const answerMs = performance.now() - begin;
    await response.body?.cancel();
    if (!response.ok) throw new Error(`${file} answers ${response.status}`);
    return { listeningMs, answerMs };
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}
