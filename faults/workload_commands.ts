import type { PrincipalId } from "../lib/protocol.ts";
import { wait } from "./clients/waiting.ts";
import type { COMMAND_NAMES } from "./clients/command_duty.ts";
import { type Ask, Askers } from "./workload_askers.ts";
import type { Cast } from "./workload_cast.ts";
import type { Store } from "./workload_final.ts";
import type { WorkloadPart } from "./workload_part.ts";

const PER_SECOND = 4;
const AGAIN_MS = 100;
/** A device has so long for what it will be asked again and again until it answers. */
const LONG_SECONDS = 300;
const CANCEL_AFTER_MS = 250;

/** What is asked for, and how often of a hundred times; the rest is work that may take its time. */
const SHARES = { hasty: 15, fail: 10, late: 10, ignore: 10, takenBack: 10, contested: 10 };

/**
 * People command devices: most commands may wait for long, some are short of time, some are never
 * answered or too late, and some are taken back, also while the device is at work.
 */
export class Commands implements WorkloadPart {
  readonly #askers: Askers;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #cancelling = new Set<Promise<void>>();
  #paused = false;

  /** `gone` says whose access has ended. */
  constructor(
    private readonly cast: Cast,
    private readonly store: Store,
    private readonly gone: (principal: PrincipalId) => boolean,
  ) {
    this.#askers = new Askers(cast, "commands");
    this.#running = this.#run();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** At the end also: every command has ended, and every answer has a receipt or a refusal. */
  async settled(deadlineMs: number): Promise<boolean> {
    const { signal } = this.cast.context;
    const end = performance.now() + deadlineMs;
    const quiet = async () =>
      this.#askers.backlog === 0 && this.#cancelling.size === 0 &&
      (!this.#stop.signal.aborted || this.#allAnswered() && await this.#noneOpen());
    while (!await quiet()) {
      if (signal.aborted || performance.now() > end) return false;
      await wait(AGAIN_MS, signal);
    }
    return true;
  }

  async look(): Promise<void> {
    await this.#askers.stop();
  }

  #allAnswered(): boolean {
    return this.cast.context.recorder.writes.every(({ what, acks, refusal, actor }) =>
      what.type !== "answer" || acks.length > 0 || refusal !== undefined || this.gone(actor)
    );
  }

  async #noneOpen(): Promise<boolean> {
    const rows = await this.store.query("select 1 from commands where status = 'queued' limit 1");
    return rows.length === 0;
  }

  async #run(): Promise<void> {
    const signal = AbortSignal.any([this.cast.context.signal, this.#stop.signal]);
    for (; !signal.aborted; await wait(1000 / PER_SECOND, signal)) {
      if (!this.#paused) this.#ask();
    }
  }

  #ask(): void {
    const { random } = this.cast.context;
    const ask = this.#askers.pick();
    if (ask === undefined || this.gone(ask.device)) return;
    let dice = random.next() * 100;
    const kind = Object.entries(SHARES).find(([, share]) => (dice -= share) < 0)?.[0];
    const long = ask.lasting ? LONG_SECONDS : 2;
    if (kind === "takenBack" || kind === "contested") {
      const name = kind === "contested" ? "work" : "ignore";
      return this.#askAndCancel(ask, name, ask.lasting ? LONG_SECONDS : 3);
    }
    if (kind === "late" || kind === "ignore") return void this.#command(ask, kind, 1);
    if (kind === "hasty") return void this.#command(ask, "work", 1);
    this.#command(ask, kind === "fail" ? "fail" : "work", long);
  }

  #command(ask: Ask, name: typeof COMMAND_NAMES[number], timeoutSeconds: number) {
    const { room, device, writer } = ask;
    const clientId = this.#askers.clientId(writer);
    const args = { asked: clientId };
    const what = { type: "command", clientId, device, name, args, timeoutSeconds } as const;
    return writer.written(room, what);
  }

  /** The one who asked takes it back, or whoever owns the room. */
  #askAndCancel(ask: Ask, name: typeof COMMAND_NAMES[number], timeoutSeconds: number): void {
    const { context: { random, signal } } = this.cast;
    const writer = random.next() < 0.3 ? this.#askers.owner : ask.writer;
    const afterMs = random.between(0, CANCEL_AFTER_MS);
    const run = async () => {
      const { acks } = await this.#command(ask, name, timeoutSeconds);
      const command = acks[0]?.command;
      if (command === undefined) return;
      await wait(afterMs, signal);
      await writer.written(ask.room, { type: "cancel", command });
    };
    const running = run().finally(() => this.#cancelling.delete(running));
    this.#cancelling.add(running);
  }
}
