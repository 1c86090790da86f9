import { ConfabError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { DeviceState, PrincipalId, RoomId } from "../lib/protocol.ts";
import type { BridgeStore, Publisher, StateKey } from "./ports.ts";
import type { Topics } from "./topics.ts";

/** What publishing desired states works with; one per term of the lease. */
export interface DesiredOptions {
  topics: Topics;
  store: Pick<BridgeStore, "desiredKeys" | "states">;
  publisher: Publisher;
  log: Log;
  /** The term is over. */
  signal: AbortSignal;
}

interface Wish extends StateKey {
  /** Empties the topic when nothing is wished for. */
  clear: boolean;
  resolve: (() => void)[];
  reject: ((error: unknown) => void)[];
}

/** States that are read and published at once. */
const BATCH = 100;
/** Keys that are read at once when all are shown again. */
const PAGE = 500;

/**
 * The retained `desired` topics. What is published is what the table says at that time, never what
 * an entry of the log once said, and one batch follows the other: so nothing older is published
 * after something newer, whoever asks for it. What is asked for meanwhile goes with the next batch.
 */
export class Desired {
  readonly #wishes = new Map<string, Wish>();
  readonly #born = new Set<PrincipalId>();
  readonly #changed = new Map<string, StateKey>();
  #all = false;
  #working = false;

  constructor(private readonly o: DesiredOptions) {}

  /**
   * Publishes the present state, if there is one, with what is still to do; otherwise (`clear`)
   * nothing, which removes what the broker has. Resolves when the broker has it.
   */
  publish(room: RoomId, device: PrincipalId, { clear = false } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const key = keyOf({ room, device });
      const wish = this.#wishes.get(key) ?? { room, device, clear, resolve: [], reject: [] };
      wish.clear ||= clear;
      wish.resolve.push(resolve);
      wish.reject.push(reject);
      this.#wishes.set(key, wish);
      if (!this.#working) void this.#work();
    });
  }

  /** All states are shown at the next tick: the broker may have forgotten everything. */
  showAll(): void {
    this.#all = true;
  }

  /** The device has come: it is shown its states at the next tick. */
  born(device: PrincipalId): void {
    this.#born.add(device);
  }

  /** What is to do has changed with what the device says: shown at the next tick. */
  changed(room: RoomId, device: PrincipalId): void {
    this.#changed.set(keyOf({ room, device }), { room, device });
  }

  /** Publishes what was asked for since the last tick; rejects when the database is away. */
  async tick(): Promise<void> {
    const [all, born, changed] = [this.#all, [...this.#born], [...this.#changed.values()]];
    this.#all = false;
    this.#born.clear();
    this.#changed.clear();
    try {
      if (all) return await this.#each(null);
      await this.#publishAll(changed);
      for (let i = 0; i < born.length; i += PAGE) await this.#each(born.slice(i, i + PAGE));
    } catch (error) {
      // The next connection to the broker shows everything.
      if (this.o.signal.aborted || isUnavailable(error)) return;
      this.#all ||= all;
      for (const device of born) this.#born.add(device);
      for (const key of changed) this.#changed.set(keyOf(key), key);
      throw error;
    }
  }

  /** Of these devices, or of all. */
  async #each(devices: PrincipalId[] | null): Promise<void> {
    for (let after: StateKey | null = null; !this.o.signal.aborted;) {
      const keys: StateKey[] = await this.o.store.desiredKeys(devices, after, PAGE);
      await this.#publishAll(keys);
      after = keys.at(-1) ?? null;
      if (keys.length < PAGE) return;
    }
  }

  async #publishAll(keys: StateKey[]): Promise<void> {
    await Promise.all(keys.map(({ room, device }) => this.publish(room, device)));
  }

  async #work(): Promise<void> {
    this.#working = true;
    // What is asked for in one turn of the event loop goes together.
    await Promise.resolve();
    while (this.#wishes.size > 0) {
      const batch = [...this.#wishes.values().take(BATCH)];
      for (const wish of batch) this.#wishes.delete(keyOf(wish));
      try {
        this.o.signal.throwIfAborted();
        const found = await this.o.store.states(batch);
        this.o.signal.throwIfAborted();
        const states = new Map(
          found.map(({ room, state }) => [keyOf({ room, device: state.device.id }), state]),
        );
        await Promise.all(batch.map((wish) => this.#settle(wish, states.get(keyOf(wish)))));
      } catch (error) {
        for (const { reject } of batch) reject.forEach((tell) => tell(error));
      }
    }
    this.#working = false;
  }

  async #settle(wish: Wish, state: DeviceState | undefined): Promise<void> {
    try {
      await this.#show(wish, state);
      wish.resolve.forEach((tell) => tell());
    } catch (error) {
      wish.reject.forEach((tell) => tell(error));
    }
  }

  async #show({ room, device, clear }: Wish, state: DeviceState | undefined): Promise<void> {
    const payload = state === undefined ? undefined : payloadOf(state);
    if (payload === undefined && !clear) return;
    const topic = this.o.topics.desired(device, room);
    await this.o.publisher.publish(topic, payload ?? "", { retain: true }).catch((error) => {
      if (!(error instanceof ConfabError) || error.code !== "forbidden") throw error;
      this.o.log.error("The broker refuses a desired state", { topic, error });
    });
  }
}

function keyOf({ room, device }: StateKey): string {
  return `${room}/${device}`;
}

/** What a device is told: `delta` only when there is something to do. */
function payloadOf({ desired, desiredVersion: version, delta }: DeviceState): string | undefined {
  if (desired === undefined) return undefined;
  const isSo = Object.keys(delta).length === 0;
  return JSON.stringify({ version, desired, ...(isSo ? {} : { delta }) });
}

function isUnavailable(error: unknown): boolean {
  return error instanceof ConfabError && error.code === "unavailable";
}
