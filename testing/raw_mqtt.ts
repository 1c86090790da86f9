import { Buffer } from "node:buffer";
import {
  generate,
  type IConnackPacket,
  type IConnectPacket,
  type IPublishPacket,
  type Packet,
  parser,
} from "mqtt-packet";
import { until } from "./until.ts";

/** How a raw client connects. */
export interface RawMqttOptions {
  port: number;
  clientId: string;
  username?: string;
  password?: string;
  /** 4 is MQTT 3.1.1. Default 5. */
  version?: 4 | 5;
  /** False keeps the session, in MQTT 5 for ten minutes. Default true. */
  clean?: boolean;
  will?: IConnectPacket["will"];
  /** Default 60. */
  keepaliveSeconds?: number;
  /** Speaks TLS to `localhost`, trusting these certificates (PEM) and those of Deno. */
  tls?: { caCerts: string[] };
}

/** What a publish may carry besides its topic and payload. */
export interface RawPublish {
  /** Default 1. */
  qos?: 0 | 1 | 2;
  retain?: boolean;
  properties?: NonNullable<IPublishPacket["properties"]>;
}

/** The reason code of the answer (0 in MQTT 3.1.1), or that the connection ended instead. */
export type RawAnswer = number | "cut";

/**
 * A client that sends what a library would refuse to send: any topic, any filter, any bytes. It
 * answers QoS 1 messages with PUBACK and collects everything that comes.
 */
export class RawMqtt implements AsyncDisposable {
  /** Everything received, in order. */
  readonly packets: Packet[] = [];
  /** The connection is over. */
  closed = false;
  readonly #reading: Promise<void>;
  #messageId = 0;
  #writing = Promise.resolve();

  private constructor(readonly conn: Deno.Conn, readonly version: 4 | 5) {
    this.#reading = this.#read();
  }

  /**
   * Opens a connection and says CONNECT; resolves with the answer in `connack`, or when the
   * connection has ended. Rejects only when there is no connection, as with a bad certificate.
   */
  static async open(options: RawMqttOptions): Promise<RawMqtt> {
    const { port, version = 5, clean = true, clientId, username, password, will, tls } = options;
    const conn = tls === undefined
      ? await Deno.connect({ hostname: "127.0.0.1", port })
      : await Deno.connectTls({ hostname: "localhost", port, ...tls });
    // connectTls() promises nothing before the first read or write.
    if ("handshake" in conn) await conn.handshake().catch((error) => fail(conn, error));
    const raw = new RawMqtt(conn, version);
    await raw.write({
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: version,
      clean,
      keepalive: options.keepaliveSeconds ?? 60,
      clientId,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password: Buffer.from(password) }),
      ...(will === undefined ? {} : { will }),
      ...(version === 5 && !clean ? { properties: { sessionExpiryInterval: 600 } } : {}),
    });
    await until("the answer to CONNECT", () => raw.closed || raw.connack !== undefined);
    return raw;
  }

  get connack(): IConnackPacket | undefined {
    return this.packets.find((packet) => packet.cmd === "connack");
  }

  /** True when the broker has let it in. */
  get admitted(): boolean {
    const { connack } = this;
    return connack !== undefined && (connack.reasonCode ?? connack.returnCode) === 0;
  }

  /** The messages received so far. */
  get messages(): { topic: string; payload: string; retain: boolean }[] {
    return this.packets.filter((packet) => packet.cmd === "publish")
      .map(({ topic, payload, retain }) => ({ topic, payload: payload.toString(), retain }));
  }

  /** The payloads received on a topic so far, parsed as JSON. */
  // deno-lint-ignore no-explicit-any -- tests read fields of what they expect
  json(topic: string): any[] {
    return this.messages.filter((one) => one.topic === topic && one.payload !== "")
      .map((one) => JSON.parse(one.payload));
  }

  /** Sends a packet, or bytes as they are. A connection that is over takes it in silence. */
  write(what: Packet | Uint8Array): Promise<void> {
    const bytes = what instanceof Uint8Array
      ? what
      : new Uint8Array(generate(what, { protocolVersion: this.version }));
    return this.#writing = this.#writing.then(() => this.#writeAll(bytes));
  }

  /** Publishes; resolves with the broker's answer, at QoS 0 with that to a ping after it. */
  async publish(
    topic: string,
    payload: string | Uint8Array,
    { qos = 1, retain = false, properties }: RawPublish = {},
  ): Promise<RawAnswer> {
    const messageId = this.#nextId();
    await this.write({
      cmd: "publish",
      topic,
      payload: Buffer.from(payload as string),
      qos,
      retain,
      dup: false,
      ...(qos === 0 ? {} : { messageId }),
      ...(properties === undefined ? {} : { properties }),
    });
    if (qos === 0) return await this.ping();
    const answered = await this.#answer(qos === 1 ? "puback" : "pubrec", messageId);
    return answered === undefined ? "cut" : (answered as { reasonCode?: number }).reasonCode ?? 0;
  }

  /** Subscribes with QoS 1 to one filter; resolves with the granted QoS or the reason code. */
  async subscribe(filter: string): Promise<RawAnswer> {
    const messageId = this.#nextId();
    await this.write({ cmd: "subscribe", messageId, subscriptions: [{ topic: filter, qos: 1 }] });
    const answered = await this.#answer("suback", messageId);
    return answered === undefined ? "cut" : (answered as { granted: number[] }).granted[0]!;
  }

  /** A round trip: the broker has read everything that was sent before. */
  async ping(): Promise<RawAnswer> {
    const before = this.#count("pingresp");
    await this.write({ cmd: "pingreq" });
    await until("the answer to a ping", () => this.closed || this.#count("pingresp") > before);
    return this.closed ? "cut" : 0;
  }

  /** Ends the connection without a word, so that the broker publishes the will. */
  async drop(): Promise<void> {
    if (!this.closed) this.conn.close();
    await this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.closed) await this.write({ cmd: "disconnect" });
    await this.drop();
  }

  #nextId(): number {
    return this.#messageId = this.#messageId % 65_535 + 1;
  }

  #count(cmd: Packet["cmd"]): number {
    return this.packets.filter((packet) => packet.cmd === cmd).length;
  }

  async #answer(cmd: Packet["cmd"], messageId: number): Promise<Packet | undefined> {
    const find = () => this.packets.find((one) => one.cmd === cmd && one.messageId === messageId);
    await until(`the ${cmd}`, () => this.closed || find() !== undefined);
    return find();
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    try {
      for (let sent = 0; sent < bytes.length;) sent += await this.conn.write(bytes.subarray(sent));
    } catch {
      // the reader notices
    }
  }

  async #read(): Promise<void> {
    const reading = parser({ protocolVersion: this.version });
    reading.on("packet", (packet) => {
      this.packets.push(packet);
      if (packet.cmd !== "publish" || packet.qos !== 1) return;
      void this.write({ cmd: "puback", messageId: packet.messageId!, reasonCode: 0 });
    });
    const bytes = new Uint8Array(65_536);
    try {
      for (;;) {
        const length = await this.conn.read(bytes);
        if (length === null) break;
        reading.parse(Buffer.from(bytes.slice(0, length)));
      }
    } catch {
      // it was reset, or closed by us
    }
    this.closed = true;
    try {
      this.conn.close();
    } catch {
      // by drop()
    }
  }
}

function fail(conn: Deno.Conn, error: unknown): never {
  conn.close();
  throw error;
}
