import { freePort } from "../testing/mosquitto.ts";
import { keptEnvironment } from "../testing/node_process.ts";
import { WorldProcess } from "./cluster_process.ts";
import type { FaultProxy } from "./proxy.ts";
import type { ExitRecord } from "./history.ts";
import type { NodeHandle } from "./world.ts";

const SKEWED_CLOCK = new URL("skewed_clock.ts", import.meta.url).pathname;
const ANSWER_MS = 1000;

/** What a process of main.ts is given. */
export interface MainOptions {
  name: string;
  /** The path of main.ts. */
  main: string;
  env: Record<string, string>;
  log: string;
  now(): number;
  ended(record: ExitRecord): void;
}

function programOf(main: string, env: Record<string, string>, clockOffsetMs = 0) {
  const skew = clockOffsetMs === 0 ? [] : ["--preload", SKEWED_CLOCK];
  const clock = { FAULTS_CLOCK_OFFSET_MS: `${clockOffsetMs}` };
  return {
    command: Deno.execPath(),
    args: ["run", "-A", "--no-check", "--quiet", ...skew, main],
    env: { ...keptEnvironment(), NO_COLOR: "1", ...env, ...(clockOffsetMs === 0 ? {} : clock) },
    cwd: main.slice(0, main.lastIndexOf("/")),
  };
}

/** A process with the role `bridge`; it answers no one but its log. */
export class WorldBridge extends WorldProcess {
  constructor({ main, env, ...rest }: MainOptions) {
    super({
      program: () => programOf(main, env),
      answers: async () => (await this.stderr()).includes('"message":"Services"'),
      ...rest,
    });
  }

  /** Whether this process became active in this term of the lease. */
  async heldTerm(term: number): Promise<boolean> {
    return this.running &&
      (await this.lines()).some((line) =>
        line.message === "This bridge is active" && line.term === term
      );
  }
}

/** A process with the role `web` behind a proxy. Each start may take another port. */
export class WorldNode extends WorldProcess implements NodeHandle {
  readonly #proxy: FaultProxy;
  readonly #port: { value: number };
  readonly #clock: { offsetMs: number };

  /** `proxy` leads clients to `port`. */
  constructor(
    { main, env, ...rest }: MainOptions,
    proxy: FaultProxy,
    port: { value: number },
  ) {
    const clock = { offsetMs: 0 };
    super({
      program: () => {
        port.value = freePort();
        return programOf(main, { ...env, PORT: `${port.value}` }, clock.offsetMs);
      },
      // Its own word first: another process may have taken the port
      answers: async () =>
        (await this.stderr()).includes('"message":"Listening"') &&
        await isOk(`http://127.0.0.1:${port.value}/healthz`),
      ...rest,
    });
    [this.#proxy, this.#port, this.#clock] = [proxy, port, clock];
  }

  get url(): string {
    return `http://127.0.0.1:${this.#proxy.port}`;
  }

  /** Whether it was started with a wrong clock. */
  get skewed(): boolean {
    return this.#clock.offsetMs !== 0;
  }

  override start(): Promise<void> {
    if (!this.running) this.#clock.offsetMs = 0;
    return super.start();
  }

  async startWithClock(offsetMs: number): Promise<void> {
    if (this.running) throw new Error(`${this.name} runs; end it first`);
    this.#clock.offsetMs = offsetMs;
    await super.start();
  }

  async clockOffsetMs(): Promise<number> {
    const line = (await this.lines()).find(({ message }) => message === "Listening");
    if (line === undefined) throw new Error(`${this.name} has not said that it listens`);
    return Date.parse(String(line.at)) - this.answeredAt;
  }

  /** Whether the services it depends on answer it. */
  isReady(): Promise<boolean> {
    return isOk(`http://127.0.0.1:${this.#port.value}/readyz`);
  }
}

async function isOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
}
