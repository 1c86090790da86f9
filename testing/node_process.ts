import { freePort } from "./mosquitto.ts";
import { until } from "./until.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;
/** What a child keeps of our environment: where programs and packages are found. */
const KEPT = ["PATH", "HOME", "DENO_DIR", "TMPDIR", "XDG_CACHE_HOME", "NPM_CONFIG_REGISTRY"];
/** Whether embedded mode runs on this Deno: it needs file locks, which came after 2.5. */
export const canEmbed = "tryLock" in Deno.FsFile.prototype;

const READY_MS = 60_000;
const PORT_TRIES = 5;

/** How a process ended. */
export interface Exit {
  code: number;
  signal: Deno.Signal | null;
  /** Milliseconds from the signal that was sent last, or from the start. */
  ms: number;
}

/** A process of `main.ts` that a test started, ready or not. */
export class MainProcess implements AsyncDisposable {
  /** Everything it has written so far, by stream. */
  stdout = "";
  stderr = "";
  exit: Exit | undefined;
  /** Resolves when it has ended and all it wrote has been read. */
  readonly exited: Promise<Exit>;
  readonly #child: Deno.ChildProcess;
  #since = performance.now();

  constructor(env: Record<string, string>) {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--quiet", MAIN],
      clearEnv: true,
      env: { ...keptEnvironment(), NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    const reading = Promise.all([
      read(child.stdout, (text) => this.stdout += text),
      read(child.stderr, (text) => this.stderr += text),
    ]);
    this.exited = (async () => {
      const { code, signal } = await child.status;
      const ms = performance.now() - this.#since;
      await reading;
      return this.exit = { code, signal, ms };
    })();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Sends a signal, unless it has ended already, and waits for the end. */
  async kill(signal: Deno.Signal): Promise<Exit> {
    this.#since = performance.now();
    if (this.exit === undefined) {
      try {
        this.#child.kill(signal);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // it ended by itself meanwhile
      }
    }
    return await this.exited;
  }

  /** Everything it wrote, for messages of failing tests. */
  get output(): string {
    return `${this.stdout}\n${this.stderr}`.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill("SIGKILL");
  }
}

/** A process that serves. */
export interface NodeProcess extends AsyncDisposable {
  url: string;
  main: MainProcess;
}

/**
 * Starts `main.ts` with this environment (and none of ours) on a free port and waits until
 * `/readyz` answers 200. Use it with `await using`: what still runs at the end is killed.
 */
export async function startNodeProcess(env: Record<string, string>): Promise<NodeProcess> {
  for (let tries = 1;; tries++) {
    const port = freePort();
    const main = new MainProcess({ PORT: `${port}`, ...env });
    const url = `http://127.0.0.1:${env.PORT ?? port}`;
    try {
      await until("the process is ready", () => isReady(main, url), READY_MS);
      return { url, main, [Symbol.asyncDispose]: () => main[Symbol.asyncDispose]() };
    } catch (error) {
      await main[Symbol.asyncDispose]();
      // Somebody took the port between our look and its start.
      const again = env.PORT === undefined && /is taken/.test(main.stderr);
      if (!again || tries >= PORT_TRIES) throw new Error(main.output, { cause: error });
    }
  }
}

async function isReady(main: MainProcess, url: string): Promise<boolean> {
  if (main.exit !== undefined) throw new Error(`It ended with code ${main.exit.code}`);
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5000) });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
}

/** What programs and packages of ours are found with, and nothing else of our environment. */
export function keptEnvironment(): Record<string, string> {
  const entries = KEPT.map((name) => [name, Deno.env.get(name)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;
}

async function read(stream: ReadableStream<Uint8Array>, add: (text: string) => void) {
  const decoder = new TextDecoder();
  for await (const chunk of stream) add(decoder.decode(chunk, { stream: true }));
}
