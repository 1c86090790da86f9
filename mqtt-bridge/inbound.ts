import { backoffMs, pause } from "../lib/backoff.ts";
import { ConfabError, type ErrorCode } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { RoomId, SendOk } from "../lib/protocol.ts";
import { Budget } from "./budget.ts";
import type { Delivery } from "./delivery.ts";
import type { KnownDevices } from "./known_devices.ts";
import { Lanes } from "./lanes.ts";
import { claimedKey, type DeviceMessage, readMessage } from "./payload.ts";
import type { BridgeActions, Publisher } from "./ports.ts";
import { answerRequest } from "./requests.ts";
import type { Topics } from "./topics.ts";

/** What inbound works with; one per connection to the broker. */
export interface InboundOptions {
  topics: Topics;
  actions: BridgeActions;
  devices: KnownDevices;
  publisher: Publisher;
  log: Log;
  /** The connection is over: what is not stored yet comes again on the next. */
  signal: AbortSignal;
  /** A device has come: it wants to know where its rooms stand. */
  onBirth(device: string): void;
  /** The room has entries up to `seq`. */
  onStored(room: RoomId, seq: number): void;
}

type SendTopic = { kind: "send"; device: string; room: string };
type WorkTopic = SendTopic | { kind: "requests"; device: string };

/** Failures that may pass by themselves: the message is tried again, not refused. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  "unavailable",
  "overloaded",
  "restarting",
  "outcome_unknown",
]);
const TRIES_OF_INTERNAL = 3;
const TRIES_AT_QOS_0 = 5;

/**
 * Takes what devices publish to the rooms. One device's messages to one room are stored in the
 * order in which they came, also through retries; everything else runs side by side. The broker
 * is acknowledged after the commit, or after the refusal has been published.
 */
export class Inbound {
  readonly #lanes = new Lanes();
  readonly #answers = new Budget({ count: 1024, bytes: 4 * 1024 * 1024 });

  constructor(private readonly o: InboundOptions) {}

  /** Works on one delivery; resolves when nothing more will be done with it. Never rejects. */
  async accept(delivery: Delivery): Promise<void> {
    const topic = this.o.topics.parse(delivery.topic);
    try {
      if (topic === undefined) {
        this.o.log.warn("A message on an unknown topic was dropped", { topic: delivery.topic });
        delivery.acknowledge();
      } else if (topic.kind === "status") {
        delivery.acknowledge();
        if (isBirth(delivery.payload)) this.o.onBirth(topic.device);
      } else if (delivery.retained) {
        delivery.acknowledge(); // an old one, shown again because of a new subscription
      } else if (topic.kind === "send") await this.#work(topic, delivery);
      else await this.#work({ kind: "requests", device: topic.device }, delivery);
    } catch (error) {
      if (this.o.signal.aborted || isUnavailable(error)) return;
      this.o.log.error("A device's message could not be handled", {
        topic: delivery.topic,
        error,
      });
    }
  }

  async #work(topic: WorkTopic, delivery: Delivery): Promise<void> {
    const { device } = topic;
    const grant = this.o.devices.take(device);
    if (!grant.granted) {
      const error = new ConfabError("rate_limited", undefined, { retryAfter: grant.retryAfter });
      return await this.#refuse(topic, delivery, error);
    }
    if (topic.kind === "requests") {
      return await this.#lanes.run(device, () => answerRequest(this.o, device, delivery));
    }
    const lane = `${device}/${topic.room}`;
    const { answered } = await this.#lanes.run(lane, () => this.#send(topic, delivery));
    await answered;
  }

  /** Resolves when the next message of the lane may be stored; `answered`: when the device is told. */
  async #send(topic: SendTopic, delivery: Delivery): Promise<{ answered?: Promise<void> }> {
    const { device, room } = topic;
    let message: DeviceMessage;
    let stored: SendOk;
    try {
      message = readMessage(delivery.payload, delivery.properties);
      stored = await this.#store(device, room, message, delivery.qos);
    } catch (error) {
      if (!this.o.signal.aborted) await this.#refuse(topic, delivery, error);
      return {};
    }
    delivery.acknowledge();
    this.o.onStored(room, stored.seq);
    const receipt = JSON.stringify({ clientId: message.clientId, room, ...stored });
    const release = await this.#answers.take(receipt.length);
    const answered = this.#respond(device, delivery, receipt).finally(release);
    answered.catch(() => {}); // seen by whoever waits for it
    return { answered };
  }

  async #store(
    device: string,
    room: RoomId,
    { clientId, body }: DeviceMessage,
    qos: number,
  ): Promise<SendOk> {
    for (let attempt = 1;; attempt++) {
      try {
        const principal = await this.o.devices.principal(device);
        if (principal === undefined) throw new ConfabError("unauthenticated");
        return await this.o.actions.send(principal, room, clientId, body);
      } catch (error) {
        if (!mayPass(error, attempt, qos)) throw error;
        if (attempt === 1) {
          this.o.log.debug("A device's message must be tried again", { device, room, error });
        }
        await pause(backoffMs(attempt, { baseMs: 50, capMs: 5000 }), this.o.signal);
        if (this.o.signal.aborted) throw error;
      }
    }
  }

  async #respond(device: string, delivery: Delivery, receipt: string): Promise<void> {
    const { responseTopic, correlationData } = delivery.properties;
    const options = correlationData === undefined ? {} : { correlationData };
    const receipts = this.o.topics.receipts(device);
    const wanted = responseTopic !== undefined && responseTopic !== receipts &&
      this.o.topics.mayRespondOn(device, responseTopic);
    await Promise.all([
      this.o.publisher.publish(receipts, receipt, options),
      wanted ? this.o.publisher.publish(responseTopic, receipt, options) : undefined,
    ]);
  }

  async #refuse(
    topic: WorkTopic,
    delivery: Delivery,
    cause: unknown,
  ): Promise<void> {
    const error = cause instanceof ConfabError ? cause : new ConfabError("internal");
    if (error.code === "internal") {
      this.o.log.error("A device's message failed", { topic: delivery.topic, error: cause });
    }
    const clientId = claimedKey(delivery.payload, delivery.properties);
    const payload = JSON.stringify({
      code: error.code,
      message: error.message,
      ...(error.retryAfter === undefined ? {} : { retryAfter: error.retryAfter }),
      ...(clientId === undefined ? {} : { clientId }),
      ...(topic.kind === "send" ? { room: topic.room } : {}),
      topic: delivery.topic,
    });
    const { correlationData } = delivery.properties;
    const options = correlationData === undefined ? {} : { correlationData };
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

function mayPass(error: unknown, attempt: number, qos: number): boolean {
  if (qos === 0 && attempt >= TRIES_AT_QOS_0) return false;
  if (!(error instanceof ConfabError) || error.code === "internal") {
    return attempt < TRIES_OF_INTERNAL;
  }
  return PASSING.has(error.code);
}

function isUnavailable(error: unknown): boolean {
  return error instanceof ConfabError && error.code === "unavailable";
}

/** A status that does not say `"online": false`: the device is there. */
function isBirth(payload: Uint8Array): boolean {
  if (payload.length === 0 || payload.length > 4096) return false;
  return !/"online"\s*:\s*false/.test(new TextDecoder().decode(payload));
}
