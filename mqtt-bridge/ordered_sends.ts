import { backoffMs, pause } from "../lib/backoff.ts";
import { ConfabError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { RoomId, SendOk } from "../lib/protocol.ts";
import type { DataChecks } from "./data_checks.ts";
import type { Delivery } from "./delivery.ts";
import type { KnownDevices } from "./known_devices.ts";
import { Gathering } from "./gathering.ts";
import { isInternal, mayPass } from "./passing.ts";
import type { DeviceMessage } from "./payload.ts";
import type { BridgeActions } from "./ports.ts";

/** What ordered sends work with. */
export interface OrderedSendsOptions {
  actions: Pick<BridgeActions, "send">;
  devices: Pick<KnownDevices, "principal">;
  /** Looks at the data of messages. */
  checks?: Pick<DataChecks, "refusals">;
  log: Log;
  /** What is not stored by then is given up, and comes again on the next connection. */
  signal: AbortSignal;
}

interface Waiting {
  message: DeviceMessage;
  qos: number;
  bytes: number;
  tries: number;
  /** It failed for an unknown reason: nobody else shall fail with it. */
  alone: boolean;
  resolve(ok: SendOk): void;
  reject(error: unknown): void;
}

const GATHER_MS = 4;
const GROUP = { count: 256, bytes: 1024 * 1024 };

/**
 * Stores what devices send. One device's messages to one room are stored in the order of the calls,
 * also through retries: while one group of them commits, the next gathers, and what must be tried
 * again goes before it. Everything else runs side by side, but starts together with what comes within
 * the same few milliseconds.
 */
export class OrderedSends {
  readonly #gathering = new Gathering(GATHER_MS);
  readonly #queues = new Map<string, Waiting[]>();

  constructor(private readonly o: OrderedSendsOptions) {}

  /** Resolves after the commit; rejects with ConfabError when it is refused, or at the signal. */
  store(
    device: string,
    room: RoomId,
    message: DeviceMessage,
    { qos, payload }: Pick<Delivery, "qos" | "payload">,
  ): Promise<SendOk> {
    return new Promise((resolve, reject) => {
      const bytes = payload.length;
      const waiting: Waiting = { message, qos, bytes, tries: 0, alone: false, resolve, reject };
      const key = `${device}/${room}`;
      const queue = this.#queues.get(key);
      if (queue !== undefined) return void queue.push(waiting);
      const started = [waiting];
      this.#queues.set(key, started);
      void this.#run(key, device, room, started);
    });
  }

  async #run(key: string, device: string, room: RoomId, queue: Waiting[]): Promise<void> {
    const { log, signal } = this.o;
    while (queue.length > 0 && !signal.aborted) {
      await this.#gathering.turn();
      const group = queue.splice(0, groupSize(queue));
      const again = await this.#attempt(device, room, group);
      const [first] = again;
      if (first === undefined) continue;
      queue.unshift(...again);
      if (first.tries === 1) {
        log.debug("Messages of a device must be tried again", { device, room });
      }
      await pause(backoffMs(first.tries, { baseMs: 50, capMs: 5000 }), signal);
    }
    // In the turn in which it was found empty: what is added to it later would stay there.
    this.#queues.delete(key);
    for (const { reject } of queue.splice(0)) reject(new ConfabError("unavailable"));
  }

  /** Tells the group what became of it, but for those to be tried again: they are returned. */
  async #attempt(device: string, room: RoomId, group: Waiting[]): Promise<Waiting[]> {
    const results = await this.#send(device, room, group);
    const lastStored = results.findLastIndex(({ status }) => status === "fulfilled");
    return group.filter((waiting, i) => {
      const result = results[i]!;
      if (result.status === "fulfilled") {
        waiting.resolve(result.value);
        return false;
      }
      waiting.tries++;
      waiting.alone = isInternal(result.reason);
      // Those behind it are stored: it would come too late.
      const overtaken = waiting.alone && i < lastStored;
      if (!overtaken && mayPass(result.reason, waiting.qos, waiting.tries)) return true;
      waiting.reject(result.reason);
      return false;
    });
  }

  async #send(
    device: string,
    room: RoomId,
    group: Waiting[],
  ): Promise<PromiseSettledResult<SendOk>[]> {
    try {
      const principal = await this.o.devices.principal(device);
      if (principal === undefined) throw new ConfabError("unauthenticated");
      const messages = group.map(({ message }) => message);
      const refusals = await this.o.checks?.refusals(device, room, messages, principal.id) ?? [];
      const good = messages.filter((_, i) => refusals[i] === undefined);
      const results = good.length === 0 ? [] : await this.o.actions.send(principal, room, good);
      let at = 0;
      return messages.map((_, i) =>
        refusals[i] === undefined ? results[at++]! : { status: "rejected", reason: refusals[i] }
      );
    } catch (reason) {
      return group.map(() => ({ status: "rejected", reason }));
    }
  }
}

function groupSize(queue: Waiting[]): number {
  let bytes = 0;
  const end = queue.findIndex(({ alone, bytes: more }, i) => {
    bytes += more;
    return i > 0 && (alone || queue[0]!.alone || i >= GROUP.count || bytes > GROUP.bytes);
  });
  return end === -1 ? queue.length : end;
}
