/** A Confab of its own, in embedded mode, as a newcomer starts it. */
export class Server {
  #child: Deno.ChildProcess | undefined;
  #output = "";

  private constructor(
    readonly dir: string,
    readonly port: number,
    readonly mqttPort: number,
  ) {}

  /** Starts it on free ports with data in a new folder. */
  static async start(): Promise<Server> {
    const dir = await Deno.makeTempDir({ prefix: "confab-browser-" });
    await Deno.chmod(dir, 0o755);
    const server = new Server(dir, freePort(), freePort());
    await server.run();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** Starts the process on the data that is there, and waits until it is ready. */
  async run(): Promise<void> {
    this.#output = "";
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", new URL("../../main.ts", import.meta.url).pathname],
      cwd: new URL("../../", import.meta.url),
      env: {
        DATA_DIR: `${this.dir}/data`,
        PORT: `${this.port}`,
        MQTT_PORT: `${this.mqttPort}`,
        LIMIT_LOGINS_PER_MINUTE: "1000",
      },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    void this.#collect(this.#child.stdout);
    void this.#collect(this.#child.stderr);
    const end = performance.now() + 120_000;
    while (!await ready(`${this.url}readyz`)) {
      if (performance.now() > end) {
        throw new Error(`Confab did not start:\n${this.#output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Ends the process as a power cut would. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.status;
    this.#child = undefined;
  }

  /** Ends the process politely and removes its data; returns its exit code. */
  async stop(): Promise<number | undefined> {
    const child = this.#child;
    child?.kill("SIGINT");
    const status = await child?.status;
    await Deno.remove(this.dir, { recursive: true });
    return status?.code;
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#output += decoder.decode(chunk, { stream: true });
    }
  }
}

async function ready(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** A port that is free now, below those that outgoing connections take. */
export function freePort(): number {
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
