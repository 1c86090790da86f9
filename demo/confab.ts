/** Milliseconds for a first start, which fetches a Postgres, and for leaving. */
const START_MS = 300_000;
const LEAVE_MS = 6_000;

/** How the demo starts its Confab. */
export interface ConfabOptions {
  /** Where its data is kept. */
  dataDir: string;
  /** Further variables. */
  env?: Record<string, string>;
  /** Told what it prints until it runs, and what it complains about. */
  say(line: string): void;
}

/** A Confab of its own, started as `deno task dev` does: everything in one process. */
export class Confab {
  readonly url: string;
  /** Resolves when it has ended, with its exit code. */
  readonly ended: Promise<number>;
  #child: Deno.ChildProcess;
  #read: Promise<unknown>;

  private constructor(child: Deno.ChildProcess, url: string, read: Promise<unknown>) {
    this.#child = child;
    this.url = url;
    this.ended = child.status.then(({ code }) => code);
    this.#read = read;
  }

  /** Resolves when it runs; rejects when it cannot. */
  static async start({ dataDir, env = {}, say }: ConfabOptions): Promise<Confab> {
    const root = new URL("../", import.meta.url);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "main.ts"],
      cwd: root,
      env: { ...env, DATA_DIR: dataDir, NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(() => reject(new Error("Confab did not start in time")), START_MS);
    let running = false;
    const read = Promise.all([
      eachLine(child.stdout, (line) => {
        running ||= line.includes("Confab is running");
        const url = /^ *Web client +(\S+?)\/?$/.exec(line)?.[1];
        if (url !== undefined) resolve(url);
        if (!running && line !== "") say(line);
      }),
      eachLine(child.stderr, say),
    ]).then(() => reject(new Error("Confab has ended")));
    try {
      return new Confab(child, await promise, read);
    } catch (error) {
      child.kill("SIGKILL");
      await child.status;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends it politely; returns its exit code. */
  async stop(): Promise<number> {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), LEAVE_MS);
    try {
      this.#child.kill("SIGINT");
    } catch {
      // It has ended already: Ctrl-C reaches both.
    }
    const code = await this.ended;
    clearTimeout(timer);
    await this.#read;
    return code;
  }
}

async function eachLine(
  stream: ReadableStream<Uint8Array>,
  take: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream() as never)) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) take(line);
  }
}
