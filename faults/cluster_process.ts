import { until } from "../testing/until.ts";
import type { ExitRecord } from "./history.ts";
import type { ProcessHandle } from "./world.ts";

/** Milliseconds that a process has to end after a polite signal. */
const LEAVE_MS = 10_000;
/** Milliseconds that a process has to answer, with all its attempts. */
const START_MS = 30_000;
const STDERR_TAIL = 4000;

/**
 * The shell becomes the program. Before, it leaves a reader on our pipe behind, which ends the
 * program when the pipe closes: that is when this process ends by any means. A line on the pipe
 * lets the reader go instead. SIGCONT comes last, since a stopped program hears only SIGKILL.
 */
const GUARDED = `exec 3<&0
(trap '' INT TERM HUP
 { read -r line <&3 || { kill -"$1" $$; kill -CONT $$; }; } >/dev/null 2>&1 &)
out=$2; shift 2
exec "$0" "$@" </dev/null 3<&- >>"$out.out" 2>>"$out.err"`;

/** Thrown by the first start of a process whose port somebody else has. */
export class PortTakenError extends Error {
  override readonly name = "PortTakenError";
}

/** How a program is started. */
export interface Program {
  command: string;
  args: string[];
  env: Record<string, string>;
  cwd?: string;
  user?: { uid: number; gid: number } | undefined;
}

/** What a process of the world is. */
export interface ProcessOptions {
  name: string;
  /** Path of what it writes, without `.out` and `.err`. */
  log: string;
  /** Asked at every start. */
  program(): Program;
  /**
   * Whether it answers: this very process, not another one that has taken its port meanwhile.
   * Throws nothing.
   */
  answers(): Promise<boolean>;
  /** Milliseconds since the run began. */
  now(): number;
  /** Told how it ended. */
  ended(record: ExitRecord): void;
  /** Ends it when the runner has gone; default SIGKILL. */
  lastSignal?: "QUIT" | "KILL";
}

/** One life of the process, from its start to its end. */
interface Life {
  child: Deno.ChildProcess;
  told?: { signal: string; at: number };
  /** Resolves when it has ended and that is recorded. */
  ended: Promise<void>;
  over: boolean;
  answered: boolean;
  /** Where what it writes begins. */
  from: { out: number; err: number };
}

/** A process that is ended, stopped and started again, and ends with the runner at the latest. */
export class WorldProcess implements ProcessHandle {
  readonly name: string;
  /** When it first answered after its last start (`Date.now()`). */
  answeredAt = 0;
  readonly #options: ProcessOptions;
  #life: Life | undefined;
  #starting: Promise<void> | undefined;

  constructor(options: ProcessOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get running(): boolean {
    return this.#life !== undefined && !this.#life.over;
  }

  /** Of the present or the last process; 0 before the first start. */
  get pid(): number {
    return this.#life?.child.pid ?? 0;
  }

  start(): Promise<void> {
    return this.#starting ??= this.#start().finally(() => this.#starting = undefined);
  }

  async end(signal: Deno.Signal): Promise<void> {
    const life = this.#life;
    if (life === undefined || life.over) return;
    life.told = { signal, at: this.#options.now() };
    kill(life.child, signal);
    const impatience = setTimeout(() => kill(life.child, "SIGKILL"), LEAVE_MS);
    await life.ended;
    clearTimeout(impatience);
  }

  pause(): void {
    if (this.running) kill(this.#life!.child, "SIGSTOP");
  }

  resume(): void {
    if (this.running) kill(this.#life!.child, "SIGCONT");
  }

  /** What the present or last process has written to stderr. */
  async stderr(): Promise<string> {
    return await this.#written("err", this.#life);
  }

  /** The lines of JSON among what the present or last process has logged. */
  async lines(): Promise<Record<string, unknown>[]> {
    const lines = (await this.stderr()).split("\n").filter((line) => /^{.*}$/.test(line));
    return lines.map((line) => JSON.parse(line));
  }

  /** Whether the system shows it as stopped (state T in /proc, Linux). */
  async isStopped(): Promise<boolean> {
    const stat = await Deno.readTextFile(`/proc/${this.pid}/stat`).catch(() => "");
    return /^[Tt]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  }

  async #start(): Promise<void> {
    let life = this.running ? this.#life! : await this.#spawn();
    await until(`${this.name} answers`, async () => {
      if (life.over) {
        if (life.told !== undefined) throw new Error(`${this.name} was ended while it started`);
        if (this.answeredAt === 0 && await this.#lacksPort(life)) throw new PortTakenError();
        // What it needs may be away, or its port not free yet
        await new Promise((resolve) => setTimeout(resolve, 100));
        life = await this.#spawn();
      }
      return await this.#options.answers();
    }, START_MS).catch(async (error) => {
      if (error instanceof PortTakenError) throw error;
      throw new Error(`${error.message}\n${(await this.stderr()).slice(-STDERR_TAIL)}`);
    });
    life.answered = true;
    this.answeredAt = Date.now();
  }

  async #spawn(): Promise<Life> {
    const { log, lastSignal = "KILL" } = this.#options;
    const { command, args, env, cwd, user } = this.#options.program();
    const sizeOf = (file: string) => Deno.stat(file).then(({ size }) => size, () => 0);
    const from = { out: await sizeOf(`${log}.out`), err: await sizeOf(`${log}.err`) };
    const child = new Deno.Command("/bin/sh", {
      args: ["-c", GUARDED, command, lastSignal, log, ...args],
      clearEnv: true,
      env,
      ...(cwd === undefined ? {} : { cwd }),
      ...user,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      detached: true, // Ctrl-C is for the runner
    }).spawn();
    const ended = Promise.withResolvers<void>();
    const life: Life = { child, ended: ended.promise, over: false, answered: false, from };
    this.#life = life;
    void this.#bury(life).then(ended.resolve, ended.reject);
    return life;
  }

  async #lacksPort(life: Life): Promise<boolean> {
    const written = await this.#written("out", life) + await this.#written("err", life);
    return /address already in use/i.test(written);
  }

  async #written(stream: "out" | "err", life: Life | undefined): Promise<string> {
    const path = `${this.#options.log}.${stream}`;
    using file = await Deno.open(path).catch(() => undefined);
    if (file === undefined) return "";
    await file.seek(life?.from[stream] ?? 0, Deno.SeekMode.Start);
    const chunks: string[] = [];
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(65_536);
    for (let n = await file.read(buffer); n !== null; n = await file.read(buffer)) {
      chunks.push(decoder.decode(buffer.subarray(0, n), { stream: true }));
    }
    return chunks.join("");
  }

  async #bury(life: Life): Promise<void> {
    const { code, signal } = await life.child.status;
    life.over = true;
    const at = this.#options.now();
    const pipe = life.child.stdin.getWriter();
    await pipe.write(new TextEncoder().encode("\n")).catch(() => {});
    await pipe.close().catch(() => {});
    const stderr = (await this.#written("err", life)).slice(-STDERR_TAIL);
    this.#options.ended({
      name: this.name,
      pid: life.child.pid,
      at,
      code,
      signal,
      ...(life.answered ? {} : { starting: true }),
      ...(life.told === undefined ? {} : { told: life.told }),
      stderr,
    });
  }
}

/** It may have ended by itself a moment ago. */
function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    const gone = error instanceof TypeError || error instanceof Deno.errors.NotFound;
    if (!gone) throw error;
  }
}
