import type { DeviceState, Metadata, PrincipalId } from "../lib/protocol.ts";
import { get } from "./clients/pages.ts";
import { BEYOND } from "./clients/state_duty.ts";
import { wait } from "./clients/waiting.ts";
import { type Ask, Askers } from "./workload_askers.ts";
import type { Cast } from "./workload_cast.ts";
import { lookAtStates } from "./workload_kept.ts";
import type { WorkloadPart } from "./workload_part.ts";

const PER_SECOND = 3;
const AGAIN_MS = 250;

/**
 * People wish for states of devices: whole ones, parts of them, and such that hold only for the
 * version that they saw, two people at once among these.
 */
export class Wishes implements WorkloadPart {
  readonly #askers: Askers;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #asking = new Set<Promise<void>>();
  #paused = false;
  #number = 0;

  /** `gone` says whose access has ended. */
  constructor(
    private readonly cast: Cast,
    private readonly gone: (principal: PrincipalId) => boolean,
  ) {
    this.#askers = new Askers(cast, "wishes");
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

  async settled(deadlineMs: number): Promise<boolean> {
    const { signal } = this.cast.context;
    const end = performance.now() + deadlineMs;
    while (this.#askers.backlog > 0 || this.#asking.size > 0) {
      if (signal.aborted || performance.now() > end) return false;
      await wait(AGAIN_MS, signal);
    }
    return true;
  }

  async look(): Promise<void> {
    await this.#askers.stop();
    await lookAtStates(this.cast, this.cast.rooms.map(({ id }) => id), {
      ...this.cast.context,
      gone: this.gone,
    });
  }

  async #run(): Promise<void> {
    const signal = AbortSignal.any([this.cast.context.signal, this.#stop.signal]);
    for (; !signal.aborted; await wait(1000 / PER_SECOND, signal)) {
      if (!this.#paused) this.#wish();
    }
  }

  #wish(): void {
    const ask = this.#askers.pick();
    if (ask === undefined || this.gone(ask.device)) return;
    const dice = this.cast.context.random.next();
    if (dice < 0.4) this.#change(ask);
    else if (dice < 0.6) this.#desire(ask, false, this.#whole(ask));
    else if (dice < 0.85) this.#keep(this.#compareAndSet(ask));
    else {
      const other = this.#askers.other(ask);
      if (other !== undefined) this.#keep(this.#duel(ask, other));
    }
  }

  #keep(work: Promise<void>): void {
    const running = work.finally(() => this.#asking.delete(running));
    this.#asking.add(running);
  }

  /** A part, without a version: it counts whatever others change meanwhile. */
  #change(ask: Ask): void {
    const number = ++this.#number;
    const { random } = this.cast.context;
    const patch: Metadata = { [ask.writer.name]: number };
    const dice = random.next();
    if (dice < 0.2) patch.limits = { high: number };
    else if (dice < 0.3) patch.limits = null;
    else if (dice < 0.4) patch[BEYOND] = number;
    this.#desire(ask, true, patch);
  }

  #whole({ writer: { name } }: Ask): Metadata {
    const number = ++this.#number;
    return { whole: number, by: name, limits: { low: number, high: 2 * number } };
  }

  #desire(ask: Ask, merge: boolean, desired: Metadata, version?: number) {
    const { room, device, writer } = ask;
    const clientId = this.#askers.clientId(writer);
    const what = { type: "desire", clientId, device, merge, desired } as const;
    return writer.written(room, { ...what, ...(version === undefined ? {} : { version }) });
  }

  async #compareAndSet(ask: Ask): Promise<void> {
    const version = await this.#read(ask);
    if (version === undefined) return;
    const merge = this.cast.context.random.next() < 0.5;
    const desired = merge ? { [ask.writer.name]: ++this.#number } : this.#whole(ask);
    await this.#desire(ask, merge, desired, version);
  }

  /** Both saw the same version: at most one of them may have their way. */
  async #duel(one: Ask, other: Ask): Promise<void> {
    const version = await this.#read(one);
    if (version === undefined) return;
    await Promise.all(
      [one, other].map((ask) => this.#desire(ask, false, this.#whole(ask), version)),
    );
  }

  /** The version that somebody sees; undefined when they see none. */
  async #read({ room, device, account }: Ask): Promise<number | undefined> {
    const { recorder } = this.cast.context;
    const askedAt = recorder.now();
    const path = `/v1/rooms/${room}/devices/${device}/state`;
    const { code, body } = await get({ ...this.cast.context, account }, path);
    if (code !== "") {
      recorder.count(`rest state ${code}`);
      return undefined;
    }
    const state = body as DeviceState;
    recorder.devices.looks.push({ room, askedAt, at: recorder.now(), state });
    return state.desiredVersion;
  }
}
