import { linesOf } from "./lines.ts";

/** What the clock of `/proc/<pid>/stat` counts per second on every Linux that Deno runs on. */
const TICKS_PER_SECOND = 100;

/** A program of this folder in a process of its own; it answers jobs, see answerJobs(). */
export class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: AsyncGenerator<string>;

  /** Starts `bench/<name>.ts` on `cores` (any when absent). */
  constructor(name: string, cores: string | undefined, flags: string[] = []) {
    const file = new URL(`./${name}.ts`, import.meta.url).pathname;
    const run = ["run", "-A", ...flags, file];
    const options = { stdin: "piped", stdout: "piped", stderr: "inherit" } as const;
    const command = cores === undefined
      ? new Deno.Command(Deno.execPath(), { ...options, args: run })
      : new Deno.Command("taskset", { ...options, args: ["-c", cores, Deno.execPath(), ...run] });
    this.#child = command.spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#answers = linesOf(this.#child.stdout);
  }

  /** Hands over a job and waits for its answer. Throws when the program ended instead. */
  async ask<T>(job: unknown): Promise<T> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(job)}\n`));
    const { value, done } = await this.#answers.next();
    if (done) throw new Error("The program ended without an answer; its errors are above");
    return JSON.parse(value) as T;
  }

  /** Milliseconds of CPU, user and system, that all threads of the process have used. */
  async cpuMs(): Promise<number> {
    const stat = await Deno.readTextFile(`/proc/${this.#child.pid}/stat`).catch(() => "");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 1000 / TICKS_PER_SECOND;
  }

  /** Memory in KiB: `VmRSS` now, or `VmHWM`, the most so far. */
  async memoryKiB(field: "VmRSS" | "VmHWM" = "VmRSS"): Promise<number> {
    const status = await Deno.readTextFile(`/proc/${this.#child.pid}/status`).catch(() => "");
    return Number(new RegExp(`^${field}:\\s*(\\d+)`, "m").exec(status)?.[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    const late = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    await this.#answers.return(undefined);
    await this.#child.status;
    clearTimeout(late);
  }
}
