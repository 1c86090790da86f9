import { Buffer } from "node:buffer";
import { Socket } from "node:net";
import mqtt, {
  type IClientOptions,
  type IClientPublishOptions,
  type IPublishPacket,
  type MqttClient,
} from "mqtt";
import { ConfabError } from "../lib/errors.ts";
import { type Delivery, deliveryOf } from "./delivery.ts";
import { HeldAcks } from "./held_acks.ts";
import type { Publisher, PublishOptions } from "./ports.ts";

/** A filter with its options; `rh` 2 asks for no retained messages. */
export interface Subscription {
  filter: string;
  qos: 0 | 1;
  rh: 0 | 2;
}

/** One connection, from CONNECT to its end. */
export interface ConnectionOptions {
  url: string;
  username?: string | undefined;
  password?: string | undefined;
  /** Fixed: the broker keeps the session under it, and cuts off whoever used it before. */
  clientId: string;
  subscriptions: Subscription[];
  /** Must not throw; resolves when nothing more will be done with the message. */
  onDelivery(delivery: Delivery): Promise<void>;
  /** A message at QoS 0 was dropped, because too much is under way. */
  onDropped?(topic: string): void;
  /**
   * QoS 1 messages that the broker sends ahead of our PUBACKs (MQTT 5's receive maximum). Nothing
   * is ever left unread: the PUBACKs of our own publishes come the same way. Default 2,048.
   */
  window?: number;
  /** Default 10,000: for the handshake, and for the broker's answer to a publish. */
  deadlineMs?: number;
}

/**
 * Why a connection ended. `taken_over`: somebody else connected with the same client id, as far as
 * the broker says so (Mosquitto 2.0.11 just closes: whoever reconnects must hold the lease still).
 */
export type ConnectionEnd = "closed" | "taken_over" | "failed";

const DRAIN_MS = 1000;
const SESSION_SECONDS = 7 * 86_400;
const SESSION_TAKEN_OVER = 0x8e;

/** The bridge's MQTT 5 connection to Mosquitto or to the embedded broker. */
export class Connection implements Publisher {
  /** Resolves when the connection is over, whatever the reason; never rejects. */
  readonly ended: Promise<ConnectionEnd>;
  /** Resolves when it is connected and subscribed; rejects when that fails. */
  readonly ready: Promise<void>;

  readonly #client: MqttClient;
  readonly #acks: HeldAcks;
  readonly #options: ConnectionOptions;
  readonly #pending = new Set<{ since: number; reject(error: Error): void }>();
  readonly #watchdog: ReturnType<typeof setInterval>;
  #working = 0;
  #closing = false;
  #onDrained: () => void = () => {};
  #end: ConnectionEnd = "closed";
  #finish!: (end: ConnectionEnd) => void;
  #over = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => this.#finish = resolve);
    this.#client = mqtt.connect(options.url, clientOptions(options));
    this.#acks = new HeldAcks(this.#client);
    this.#client.handleMessage = (packet, done) => this.#receive(packet, done);
    this.#client.on("disconnect", (packet) => {
      if (packet.reasonCode === SESSION_TAKEN_OVER) this.#end = "taken_over";
    });
    this.#client.on("close", () => this.#close());
    this.ready = this.#connect();
    this.ready.catch(() => this.#abandon());
    this.#watchdog = setInterval(() => this.#tick(), 1000);
  }

  publish(
    topic: string,
    payload: string,
    options: PublishOptions & { qos?: 0 | 1 } = {},
  ): Promise<void> {
    if (this.#over || !this.#client.connected) return Promise.reject(unavailable());
    return new Promise((resolve, reject) => {
      const pending = { since: performance.now(), reject };
      this.#pending.add(pending);
      this.#client.publish(
        topic,
        payload,
        {
          qos: options.qos ?? 1,
          retain: options.retain ?? false,
          properties: propertiesOf(options),
        },
        (error) => {
          if (!this.#pending.delete(pending)) return;
          if (error) reject(isRefusal(error) ? refused(error) : unavailable(error));
          else resolve();
        },
      );
    });
  }

  /**
   * Ends it. With `politely`, what is being worked on may finish for a second, and the broker is
   * told; otherwise the socket is dropped at once.
   */
  async close({ politely = true }: { politely?: boolean } = {}): Promise<void> {
    this.#closing = true;
    if (politely && !this.#over) await this.#drained();
    if (!this.#over) {
      this.#acks.flush();
      this.#acks.close();
      if (politely && this.#client.connected) {
        this.#client.end(false, { reasonCode: 0 });
        const late = setTimeout(() => this.#abandon(), 500);
        await this.ended;
        clearTimeout(late);
      } else this.#abandon();
    }
    await this.ended;
  }

  #connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client.on("error", (error) => {
        this.#end = this.#end === "closed" ? "failed" : this.#end;
        reject(error);
      });
      this.ended.then(() => reject(unavailable()));
      this.#client.once("connect", () => {
        // Or a small packet waits for the acknowledgement of the one before it, up to 40 ms.
        const { stream } = this.#client;
        if (stream instanceof Socket) stream.setNoDelay(true);
        const wanted = this.#options.subscriptions.map(({ filter, qos, rh }) =>
          [filter, { qos, rh }] as const
        );
        this.#client.subscribe(Object.fromEntries(wanted), (error) => {
          if (error) reject(error);
          else resolve();
        });
      });
      this.#client.connect();
    });
  }

  #drained(): Promise<void> {
    if (this.#working === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const late = setTimeout(resolve, DRAIN_MS);
      this.#onDrained = () => {
        clearTimeout(late);
        resolve();
      };
      this.ended.then(this.#onDrained);
    });
  }

  #receive(packet: IPublishPacket, done: (error?: Error) => void): void {
    if (this.#closing) return done(); // not acknowledged: it comes again on the next connection
    const { qos, messageId } = packet;
    const acknowledge = qos === 1 && messageId !== undefined
      ? this.#acks.hold(messageId)
      : undefined;
    // Nothing else bounds QoS 0, which may be lost.
    const full = this.#working >= 2 * (this.#options.window ?? 2048);
    if (qos > 0 || !full) {
      this.#working++;
      this.#options.onDelivery(deliveryOf(packet, acknowledge)).catch(() => {}).finally(() => {
        this.#working--;
        if (this.#working === 0) this.#onDrained();
      });
    } else this.#options.onDropped?.(packet.topic);
    done();
  }

  #tick(): void {
    this.#acks.flush();
    const [oldest] = this.#pending;
    const limit = performance.now() - (this.#options.deadlineMs ?? 10_000);
    if (oldest !== undefined && oldest.since < limit) this.#abandon();
  }

  #abandon(): void {
    this.#client.end(true);
    this.#close();
  }

  #close(): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#watchdog);
    this.#acks.close();
    for (const pending of this.#pending) pending.reject(unavailable());
    this.#pending.clear();
    this.#client.end(true);
    this.#finish(this.#end);
  }
}

function clientOptions(options: ConnectionOptions): IClientOptions {
  return {
    clientId: options.clientId,
    ...(options.username === undefined ? {} : { username: options.username }),
    ...(options.password === undefined ? {} : { password: options.password }),
    protocolVersion: 5,
    clean: false,
    keepalive: 15,
    reconnectPeriod: 0,
    resubscribe: false,
    connectTimeout: options.deadlineMs ?? 10_000,
    manualConnect: true,
    timerVariant: "native",
    // A timer set anew for every packet costs more than a ping too many.
    reschedulePings: false,
    log: () => {},
    properties: {
      sessionExpiryInterval: SESSION_SECONDS,
      receiveMaximum: options.window ?? 2048,
    },
  };
}

/** As MQTT 5 has them; correlation data is bytes. */
function propertiesOf(
  { correlationData, responseTopic, messageExpirySeconds }: PublishOptions,
): NonNullable<IClientPublishOptions["properties"]> {
  return {
    ...(correlationData === undefined ? {} : { correlationData: Buffer.from(correlationData) }),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(messageExpirySeconds === undefined ? {} : { messageExpiryInterval: messageExpirySeconds }),
  };
}

/** A PUBACK with a reason code of 0x80 or above (MQTT 5, section 3.4.2.1). */
function isRefusal(error: Error): boolean {
  return "code" in error && typeof error.code === "number" && error.code >= 0x80;
}

function refused(cause: Error): ConfabError {
  return new ConfabError("forbidden", "The MQTT broker refuses this message", { cause });
}

function unavailable(cause?: unknown): ConfabError {
  return new ConfabError("unavailable", "The MQTT broker does not answer", { cause });
}
