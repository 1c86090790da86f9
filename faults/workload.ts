import type { PrincipalId } from "../lib/protocol.ts";
import { Api } from "./clients/api.ts";
import { reached, wait } from "./clients/waiting.ts";
import { WsClient } from "./clients/ws_client.ts";
import type { History } from "./history.ts";
import type { Random } from "./random.ts";
import { Recorder } from "./recorder.ts";
import type { World } from "./world.ts";
import { AccessChanges, type AccessTimes } from "./workload_access.ts";
import { Cast } from "./workload_cast.ts";
import { convergence, finalRoom } from "./workload_final.ts";
import { Metering, type Patience } from "./workload_metering.ts";
import { Pace } from "./workload_pace.ts";
import type { WorkloadPart } from "./workload_part.ts";
import { workloadParts } from "./workload_parts.ts";
import { probePresence } from "./workload_presence.ts";

/** Outstanding writes are repeated for so long after the end. */
const ANSWER_MS = 20_000;

/** What is said to those who do not read, so often at most: it stays in the log of the room. */
const FILL = { messages: 24, chars: 16_000 };
const MAX_FILLS = 2;

/** What a workload needs of a world. */
export type WorkloadWorld = Pick<World, "now"> & {
  readonly nodes: readonly Pick<World["nodes"][number], "name" | "url">[];
  readonly postgres: Pick<World["postgres"], "query">;
};

/** How a workload runs. */
export interface WorkloadOptions extends Partial<AccessTimes> {
  seed: number;
  random: Random;
  signal: AbortSignal;
  /** All writes together. Default 120. */
  writesPerSecond?: number;
  /** False where no broker is. Default true. */
  devices?: boolean;
  /** How often one person refreshes the token of an open socket. Default 4000. */
  renewEveryMs?: number;
  /** What devices that measure make known late and is waited for. Default none. */
  patience?: Patience;
}

/** What came of a run. */
export interface WorkloadResult {
  history: History;
  /** How often things happened that are no part of the history. */
  counts: ReadonlyMap<string, number>;
  /** What a correct server never does, and no record has a place for. */
  problems: readonly string[];
  /** Whether every write was answered in time. */
  answered: boolean;
  /** False where the nodes do not say who is online. */
  presenceChecked: boolean;
}

/** People, devices and their programs at work on a world. */
export class Workload implements AsyncDisposable {
  #finished = false;
  #fills = 0;

  private constructor(
    readonly recorder: Recorder,
    private readonly world: WorkloadWorld,
    private readonly cast: Cast,
    private readonly access: AccessChanges,
    private readonly pace: Pace,
    private readonly parts: readonly WorkloadPart[],
    private readonly random: Random,
    private readonly end: AbortController,
  ) {}

  /** Sets the scene and starts everybody; the world must be whole until this resolves. */
  static async start(world: WorkloadWorld, options: WorkloadOptions): Promise<Workload> {
    const { seed, random, writesPerSecond = 120, devices = true, renewEveryMs = 4000 } = options;
    const end = new AbortController();
    const stop = () => end.abort();
    options.signal.addEventListener("abort", stop, { signal: end.signal });
    if (options.signal.aborted) stop();
    const recorder = new Recorder(seed, () => world.now());
    const context = {
      api: new Api(world.nodes, random.fork()),
      recorder,
      random: random.fork(),
      signal: end.signal,
      devices,
      renewEveryMs,
    };
    try {
      const cast = await Cast.gather(context);
      const { patience = "none" } = options;
      const metering = devices ? [await Metering.start(cast, world, patience)] : [];
      const access = new AccessChanges(cast, {
        logoutAfterMs: options.logoutAfterMs ?? random.between(4000, 10_000),
        disableAfterMs: options.disableAfterMs ?? random.between(4000, 10_000),
        removeEveryMs: options.removeEveryMs ?? 4000,
      });
      const gone = (principal: PrincipalId) => access.gone.has(principal);
      const pace = new Pace(cast, writesPerSecond, gone);
      const parts = workloadParts(cast, world, gone);
      const all = [...parts, ...metering];
      return new Workload(recorder, world, cast, access, pace, all, random.fork(), end);
    } catch (error) {
      end.abort();
      throw error;
    }
  }

  /** Ends every connection of people and devices without a word; returns how many. */
  cutClients(): number {
    return this.cast.clients.reduce((sum, client) => sum + client.cut(), 0);
  }

  /**
   * Lets some sockets read nothing for `ms` while much is waiting for them; resolves to how many
   * there were.
   */
  async stallReaders(count: number, ms: number): Promise<number> {
    const sockets = this.cast.clients.filter((client) => client instanceof WsClient)
      .filter(({ connected, principal }) => connected && !this.#apart(principal));
    if (this.#fills++ < MAX_FILLS) this.pace.fill(FILL.messages, FILL.chars);
    const stalled = await Promise.all(
      this.random.shuffle(sockets).slice(0, count).map((one) => one.stall(ms)),
    );
    return stalled.filter((one) => one).length;
  }

  /**
   * Silence: what is in flight is finished, one last message is sent in each room, and then nobody
   * writes for `ms`. `silent` is called when the last messages are acknowledged. Resolves to false
   * when one was not within 10 s.
   */
  async quiet(ms: number, silent: () => void = () => {}): Promise<boolean> {
    const writing = [this.pace, ...this.parts];
    for (const one of writing) one.pause();
    await Promise.all(writing.map((one) => one.settled(10_000)));
    const last = this.pace.say("says before silence");
    const answered = await reached(
      () => last.every(({ acks, refusal }) => acks.length > 0 || refusal !== undefined),
      10_000,
      this.end.signal,
    );
    if (answered) silent();
    await wait(ms, this.end.signal);
    for (const one of writing) one.resume();
    return answered && last.length > 0;
  }

  /**
   * Ends the run: no new writes, everything answered, everybody up to date; then reads what is
   * there. `healedAt` is when the last fault was healed, by the clock of the world.
   */
  async finish(healedAt: number): Promise<WorkloadResult> {
    const { recorder, cast, world, access } = this;
    const writing = [this.pace, ...this.parts];
    await Promise.all(writing.map((one) => one.stop()));
    await access.finish();
    const settled = await Promise.all(writing.map((one) => one.settled(ANSWER_MS)));
    const answered = settled.every((one) => one);
    recorder.convergence = await convergence(cast, world.postgres, access.gone, healedAt);
    const looked = (async () => {
      for (const part of this.parts) await part.look(healedAt);
    })();
    const [presenceChecked] = await Promise.all([probePresence(cast, healedAt), looked]);
    // Looks add to the logs: what rules say of the last readings, and alerts
    await convergence(cast, world.postgres, access.gone, world.now());
    for (const { id } of cast.rooms) {
      recorder.final.push(await finalRoom(cast, world.postgres, id));
    }
    await this[Symbol.asyncDispose]();
    const { counts, problems } = recorder;
    return { history: recorder.history(), counts, problems, answered, presenceChecked };
  }

  /** Ends everything at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#finished) return;
    this.#finished = true;
    await this.cast.stop();
    this.end.abort();
    const ends = [this.pace, ...this.parts].map((one) => one.stop());
    await Promise.allSettled([...ends, this.access.finish()]);
  }

  #apart(principal: PrincipalId): boolean {
    const stranger = this.recorder.principals.find(({ stranger }) => stranger)!;
    return principal === stranger.id || this.access.gone.has(principal);
  }
}
