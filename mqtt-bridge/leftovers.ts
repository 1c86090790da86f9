import { pause } from "../lib/backoff.ts";
import { ConfabError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { BridgeStore, Publisher } from "./ports.ts";
import { OWN_MARK, type Topics, type UpTopic } from "./topics.ts";

/** What emptying topics works with; one per term of the lease. */
export interface LeftoversOptions {
  topics: Topics;
  store: Pick<BridgeStore, "devicesOf" | "states">;
  publisher: Publisher;
  log: Log;
  /** The term is over. */
  signal: AbortSignal;
}

/** A topic of which a broker keeps what a device has published. */
export type KeptTopic = Extract<UpTopic, { kind: "status" | "reported" }>;

const TICK_MS = 1000;
/** Topics that are looked at once. */
const BATCH = 500;
/** Topics that may wait; the broker shows those beyond it at the next connection. */
const MAX_WAITING = 20_000;

/**
 * Empties what devices have left retained at the broker: the `status` of those that are deleted, and
 * what they `reported` to rooms that they are not in. Whether that is so is asked when it is done.
 * What is missed here, the broker shows at the next connection to it.
 */
export class Leftovers {
  readonly #waiting = new Map<string, KeptTopic>();

  constructor(private readonly o: LeftoversOptions) {}

  /** Topics that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Something may have been left here. */
  found(topic: KeptTopic): void {
    if (this.#waiting.size < MAX_WAITING) this.#waiting.set(this.#nameOf(topic), topic);
  }

  /** Runs until the signal. */
  async run(): Promise<void> {
    const { signal, log } = this.o;
    while (!signal.aborted) {
      await pause(TICK_MS, signal);
      if (signal.aborted) return;
      await this.tick().catch((error) => log.warn("What devices left is emptied later", { error }));
    }
  }

  /** Empties what was found so far; what fails waits for the next time. */
  async tick(): Promise<void> {
    while (this.#waiting.size > 0 && !this.o.signal.aborted) {
      const batch = [...this.#waiting].slice(0, BATCH);
      for (const [name] of batch) this.#waiting.delete(name);
      try {
        await this.#empty(batch.map(([, topic]) => topic));
      } catch (error) {
        // Without a connection the next one shows them.
        if (error instanceof ConfabError && error.code === "unavailable") return;
        for (const [name, topic] of batch) this.#waiting.set(name, topic);
        throw error;
      }
    }
  }

  async #empty(topics: KeptTopic[]): Promise<void> {
    const { store, publisher } = this.o;
    const states = topics.filter((topic) => topic.kind === "reported");
    const others = topics.filter((topic) => topic.kind === "status");
    const [devices, members] = await Promise.all([
      others.length === 0 ? [] : store.devicesOf(others.map(({ device }) => device)),
      states.length === 0 ? [] : store.states(states),
    ]);
    const known = new Set(devices.filter(({ deleted }) => !deleted).map(({ id }) => id));
    const present = new Set(members.map(({ room, state }) => `${room}/${state.device.id}`));
    const left = [
      ...others.filter(({ device }) => !known.has(device)),
      ...states.filter(({ room, device }) => !present.has(`${room}/${device}`)),
    ];
    const options = { retain: true, correlationData: OWN_MARK };
    await Promise.all(left.map(async (topic) => {
      const name = this.#nameOf(topic);
      await publisher.publish(name, "", options).catch((error) => {
        if (!(error instanceof ConfabError) || error.code !== "forbidden") throw error;
        this.o.log.debug("The broker does not let the bridge empty a topic", { topic: name });
      });
    }));
  }

  #nameOf(topic: KeptTopic): string {
    const { topics } = this.o;
    return topic.kind === "status"
      ? topics.status(topic.device)
      : topics.reported(topic.device, topic.room);
  }
}

/** True for a refusal because the device is unknown or has no access, or is not in the room. */
export function mayBeLeft(error: unknown): boolean {
  const codes = ["unauthenticated", "forbidden", "not_found", "not_a_member"];
  return error instanceof ConfabError && codes.includes(error.code);
}
