import { freePort } from "./server.ts";

const ROOT = new URL("../../", import.meta.url);

/** `deno task demo` with data of its own, and what it says. */
export class Demo {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  #output = "";

  private constructor(readonly dir: string) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "demo/main.ts", `--data=${dir}`],
      cwd: ROOT,
      env: { PORT: `${freePort()}`, MQTT_PORT: `${freePort()}` },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const read = async (stream: ReadableStream<Uint8Array>) => {
      const decoder = new TextDecoder();
      for await (const chunk of stream) {
        this.#output += decoder.decode(chunk, { stream: true });
      }
    };
    this.#reading = Promise.all([
      read(this.#child.stdout),
      read(this.#child.stderr),
    ]);
  }

  static async start(): Promise<Demo> {
    const dir = await Deno.makeTempDir({ prefix: "confab-plant-" });
    await Deno.chmod(dir, 0o755);
    return new Demo(dir);
  }

  /** Where to look, and as whom. */
  async access(): Promise<{ url: string; username: string; password: string }> {
    const end = performance.now() + 120_000;
    for (;;) {
      const said =
        /Open +(\S+)[^]*?Log in as +(\S+) with the password (\S+)\n[^]*\/cmd/
          .exec(this.#output);
      const [, url, username, password] = said ?? [];
      if (url && username && password) return { url, username, password };
      if (performance.now() > end) {
        throw new Error(`The demo said:\n${this.#output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Ends it as Ctrl-C does; returns its exit code. */
  async stop(): Promise<number> {
    this.#child.kill("SIGINT");
    const { code } = await this.#child.status;
    await this.#reading;
    await Deno.remove(this.dir, { recursive: true });
    return code;
  }
}
