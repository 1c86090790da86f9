import { linesOf } from "./lines.ts";
import { type Measured, onCores } from "./process.ts";

/** How a program is started, when not as `deno run`. */
export interface ProgramOptions {
  command: string;
  args: string[];
  cwd?: string;
}

/** A program in a process of its own; it answers jobs, see answerJobs(). */
export class Program implements AsyncDisposable, Measured {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: AsyncGenerator<string>;

  /** Starts `bench/<name>.ts`, or what `options` say, on `cores` (any when absent). */
  constructor(name: string, cores: string | undefined, options?: ProgramOptions) {
    const file = new URL(`./${name}.ts`, import.meta.url).pathname;
    const run = options ?? { command: Deno.execPath(), args: ["run", "-A", file] };
    const { command, args } = onCores(cores, run.command, run.args);
    const cwd = options?.cwd;
    this.#child = new Deno.Command(command, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
      ...(cwd === undefined ? {} : { cwd }),
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#answers = linesOf(this.#child.stdout);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Hands over a job and waits for its answer. Throws when the program ended instead. */
  async ask<T>(job: unknown): Promise<T> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(job)}\n`));
    const { value, done } = await this.#answers.next();
    if (done) throw new Error("The program ended without an answer; its errors are above");
    return JSON.parse(value) as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    const late = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    await this.#answers.return(undefined);
    await this.#child.status;
    clearTimeout(late);
  }
}
