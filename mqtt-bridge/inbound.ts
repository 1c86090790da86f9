import { ConfabError } from "../lib/errors.ts";
import { Lanes } from "../lib/lanes.ts";
import type { Log } from "../lib/log.ts";
import type { RoomId, SendOk } from "../lib/protocol.ts";
import { Budget } from "./budget.ts";
import type { DataChecks } from "./data_checks.ts";
import type { Delivery } from "./delivery.ts";
import { DeviceWork, type HandledTopic, type Handlers } from "./device_work.ts";
import type { KnownDevices } from "./known_devices.ts";
import { LateWills } from "./late_wills.ts";
import { type KeptTopic, mayBeLeft } from "./leftovers.ts";
import { OrderedSends } from "./ordered_sends.ts";
import { claimedKey, type DeviceMessage, echoOf, readMessage } from "./payload.ts";
import type { Penalties } from "./penalties.ts";
import type { BridgeActions, Publisher } from "./ports.ts";
import { replyKey } from "./reply_payload.ts";
import { answerRequest } from "./requests.ts";
import type { Topics, UpTopic } from "./topics.ts";

/** What inbound works with; one per connection to the broker. */
export interface InboundOptions {
  topics: Topics;
  actions: Pick<BridgeActions, "send" | "log">;
  devices: KnownDevices;
  /** Looks at the data of messages. */
  checks?: Pick<DataChecks, "refusals">;
  /** Without it, each publish beyond the quota is answered. */
  penalties?: Pick<Penalties, "isBarred" | "refused">;
  publisher: Publisher;
  /** What is done with telemetry, state, replies and status; what has no handler is refused. */
  handlers?: Handlers;
  log: Log;
  /** The connection is over: what is not stored yet comes again on the next. */
  signal: AbortSignal;
  /** A device has said something just now. */
  onHeard?(device: string): void;
  /** What a broker may keep of a device that is gone, or of its state in a room that it is not in. */
  onLeft?(topic: KeptTopic): void;
  /** A device has come: it wants to know where its rooms stand. */
  onBirth(device: string): void;
  /** The room has entries up to `seq`. */
  onStored(room: RoomId, seq: number): void;
}

type SendTopic = Extract<UpTopic, { kind: "send" }>;

/**
 * Takes what devices publish to the rooms. One device's messages to one room are stored in the
 * order in which they came, also through retries; everything else runs side by side. The broker
 * is acknowledged after the commit, or after the refusal has been published.
 */
export class Inbound {
  readonly #requests = new Lanes();
  readonly #sends: OrderedSends;
  readonly #work: DeviceWork;
  readonly #late: LateWills;
  readonly #answers = new Budget({ count: 1024, bytes: 4 * 1024 * 1024 });

  constructor(private readonly o: InboundOptions) {
    this.#sends = new OrderedSends(o);
    this.#work = new DeviceWork({ ...o, handlers: o.handlers ?? {} });
    this.#late = new LateWills(o.signal);
  }

  /** Works on one delivery; resolves when nothing more will be done with it. Never rejects. */
  async accept(delivery: Delivery): Promise<void> {
    const topic = this.o.topics.parse(delivery.topic);
    try {
      if (topic === undefined) await this.#strange(delivery);
      else await this.#take(topic, delivery);
    } catch (error) {
      if (this.o.signal.aborted || isUnavailable(error)) return;
      this.o.log.error("A device's message could not be handled", {
        topic: delivery.topic,
        error,
      });
    }
  }

  /** A broker may let through what is no topic of ours, such as a room whose id is none. */
  async #strange(delivery: Delivery): Promise<void> {
    const device = this.o.topics.ownerOf(delivery.topic);
    if (device === undefined) {
      const topic = delivery.topic.slice(0, 512);
      this.o.log.warn("A message on an unknown topic was dropped", { topic });
      return delivery.acknowledge();
    }
    const isTold = !delivery.retained && this.o.devices.take(device, 0).granted;
    if (!isTold) return delivery.acknowledge();
    await this.#refuse({ device }, delivery, new ConfabError("invalid_topic"));
  }

  async #take(topic: UpTopic, delivery: Delivery): Promise<void> {
    const { device } = topic;
    if (topic.kind === "status") return await this.#status(topic, delivery);
    if (!delivery.retained && this.o.penalties?.isBarred(device)) return delivery.acknowledge();
    if (!delivery.retained) this.o.onHeard?.(device);
    // An old one, shown again because of a new subscription.
    else if (topic.kind !== "reported") return delivery.acknowledge();
    // Readings have a quota of their own.
    if (topic.kind === "telemetry") return await this.#handle(topic, delivery);
    if (!await this.#mayTake(topic, delivery)) return;
    if (topic.kind === "send") return await this.#send(topic, delivery);
    if (topic.kind !== "requests") return await this.#handle(topic, delivery);
    await this.#requests.run(device, () => answerRequest(this.o, device, delivery));
  }

  /** Takes a birth or a last will. A last will is the broker's: too many of them wait, see there. */
  async #status(topic: HandledTopic, delivery: Delivery): Promise<void> {
    if (isBirth(delivery.payload)) {
      if (!delivery.retained) {
        this.o.onHeard?.(topic.device);
        if (!await this.#mayTake(topic, delivery)) return;
      }
      this.#late.overrule(topic.device);
      this.o.onBirth(topic.device);
    } else if (!delivery.retained && !this.o.devices.take(topic.device, delivery.qos).granted) {
      if (!await this.#late.isNewest(topic.device)) return delivery.acknowledge();
    } else this.#late.overrule(topic.device);
    if (this.#work.handles("status")) return await this.#handle(topic, delivery);
    delivery.acknowledge();
  }

  /** Takes one publish from the device's quota; false: it is refused. */
  async #mayTake(topic: UpTopic, delivery: Delivery): Promise<boolean> {
    const grant = this.o.devices.take(topic.device, delivery.qos);
    if (grant.granted) return true;
    if (!(this.o.penalties?.refused(topic.device) ?? true)) {
      delivery.acknowledge();
      return false;
    }
    const error = new ConfabError("rate_limited", undefined, { retryAfter: grant.retryAfter });
    await this.#refuse(topic, delivery, error);
    return false;
  }

  async #handle(topic: HandledTopic, delivery: Delivery): Promise<void> {
    try {
      if (!this.#work.handles(topic.kind)) throw new ConfabError("invalid_topic");
      await this.#work.run(topic, delivery);
    } catch (error) {
      if (this.o.signal.aborted) return;
      const isKept = topic.kind === "status" || topic.kind === "reported";
      if (isKept && mayBeLeft(error)) this.o.onLeft?.(topic);
      // An old one, shown again: the device was told when it published it.
      if (delivery.retained) return delivery.acknowledge();
      return await this.#refuse(topic, delivery, error);
    }
    delivery.acknowledge();
  }

  async #send(topic: SendTopic, delivery: Delivery): Promise<void> {
    const { device, room } = topic;
    let message: DeviceMessage;
    let stored: SendOk;
    try {
      message = readMessage(delivery.payload, delivery.properties);
      stored = await this.#sends.store(device, room, message, delivery);
    } catch (error) {
      if (!this.o.signal.aborted) await this.#refuse(topic, delivery, error);
      return;
    }
    this.o.onStored(room, stored.seq);
    const receipt = JSON.stringify({ clientId: message.clientId, room, ...stored });
    // Before the acknowledgement, so that a broker that takes no receipts sends nothing more.
    const release = await this.#answers.take(receipt.length);
    // Written ahead of the acknowledgement: when we are killed now, a broker that has not read the
    // receipt delivers the message again.
    const answered = this.#respond(device, delivery, receipt).finally(release);
    delivery.acknowledge();
    await answered;
  }

  async #respond(device: string, delivery: Delivery, receipt: string): Promise<void> {
    const { responseTopic } = delivery.properties;
    const options = echoOf(delivery.properties);
    const receipts = this.o.topics.receipts(device);
    const wanted = responseTopic !== undefined && responseTopic !== receipts &&
      this.o.topics.mayRespondOn(device, responseTopic);
    await Promise.all([
      this.o.publisher.publish(receipts, receipt, options),
      wanted ? this.o.publisher.publish(responseTopic, receipt, options) : undefined,
    ]);
  }

  async #refuse(
    topic: { device: string; kind?: string; room?: string },
    delivery: Delivery,
    cause: unknown,
  ): Promise<void> {
    const error = cause instanceof ConfabError ? cause : new ConfabError("internal");
    if (error.code === "internal") {
      this.o.log.error("A device's message failed", { topic: delivery.topic, error: cause });
    }
    const claimed = topic.kind === "replies" ? replyKey : claimedKey;
    const clientId = claimed(delivery.payload, delivery.properties);
    const payload = JSON.stringify({
      code: error.code,
      message: error.message,
      ...(error.retryAfter === undefined ? {} : { retryAfter: error.retryAfter }),
      ...(clientId === undefined ? {} : { clientId }),
      ...(topic.room === undefined ? {} : { room: topic.room }),
      topic: delivery.topic.slice(0, 512),
    });
    const options = echoOf(delivery.properties);
    await this.o.publisher.publish(this.o.topics.errors(topic.device), payload, options)
      .catch((error) => {
        if (isUnavailable(error)) throw error;
        this.o.log.error("The broker refuses an error for a device", {
          device: topic.device,
          error,
        });
      });
    delivery.acknowledge();
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof ConfabError && error.code === "unavailable";
}

/** A status that does not say `"online": false`: the device is there. */
function isBirth(payload: Uint8Array): boolean {
  if (payload.length === 0 || payload.length > 4096) return false;
  return !/"online"\s*:\s*false/.test(new TextDecoder().decode(payload));
}
