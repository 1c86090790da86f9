import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { until } from "./until.ts";

/** A message that a test device received. */
export interface Received {
  topic: string;
  payload: string;
  retained: boolean;
  qos: number;
  correlationData?: Uint8Array;
}

/** How a test device connects. */
export interface DeviceOptions {
  url: string;
  username: string;
  password: string;
  /** Default: the username. */
  clientId?: string;
  /** 4 is MQTT 3.1.1. Default 5. */
  version?: 4 | 5;
  /** False keeps the session. Default true. */
  clean?: boolean;
  will?: IClientOptions["will"];
}

/** An MQTT client as firmware would have it, for tests; it never reconnects by itself. */
export class TestDevice implements AsyncDisposable {
  readonly received: Received[] = [];
  /** The reason code of the broker's DISCONNECT, and whether the connection is over. */
  disconnectReason: number | undefined;
  closed = false;

  private constructor(readonly client: MqttClient) {
    client.on("message", (topic, payload, packet) => {
      const correlationData = packet.properties?.correlationData;
      this.received.push({
        topic,
        payload: payload.toString(),
        retained: packet.retain,
        qos: packet.qos,
        ...(correlationData === undefined ? {} : { correlationData }),
      });
    });
    client.on("disconnect", (packet) => this.disconnectReason = packet.reasonCode);
    client.on("close", () => this.closed = true);
    client.on("error", () => {});
  }

  /** Resolves when connected; rejects when the broker refuses. */
  static connect(options: DeviceOptions): Promise<TestDevice> {
    const { url, clean = true, version = 5, clientId = options.username, will } = options;
    const client = mqtt.connect(url, {
      username: options.username,
      password: options.password,
      clientId,
      clean,
      protocolVersion: version,
      reconnectPeriod: 0,
      connectTimeout: 5000,
      manualConnect: true,
      timerVariant: "native",
      ...(will === undefined ? {} : { will }),
      ...(version === 5 && !clean ? { properties: { sessionExpiryInterval: 600 } } : {}),
    });
    const device = new TestDevice(client);
    return new Promise((resolve, reject) => {
      client.once("connect", () => resolve(device));
      client.once("error", (error) => {
        client.end(true);
        reject(error);
      });
      client.once("close", () => reject(new Error("The connection was closed")));
      client.connect();
    });
  }

  /** Subscribes with QoS 1; true when the broker granted it. */
  async subscribe(filter: string): Promise<boolean> {
    try {
      const granted = await this.client.subscribeAsync(filter, { qos: 1 });
      return granted.every(({ qos }) => qos < 128);
    } catch {
      return false;
    }
  }

  /** Publishes with QoS 1; resolves at the PUBACK, rejects when that carries an error. */
  async publish(
    topic: string,
    payload: string | Uint8Array,
    options: mqtt.IClientPublishOptions = {},
  ): Promise<void> {
    await this.client.publishAsync(topic, payload as string, { qos: 1, ...options });
  }

  /** The payloads received on a topic so far, parsed as JSON. */
  // deno-lint-ignore no-explicit-any -- tests read fields of what they expect
  json(topic: string): any[] {
    return this.received.filter((one) => one.topic === topic && one.payload !== "")
      .map((one) => JSON.parse(one.payload));
  }

  /** Waits until `count` messages have come on a topic, and answers them parsed. */
  // deno-lint-ignore no-explicit-any -- see json()
  async waitFor(topic: string, count = 1): Promise<any[]> {
    await until(`${count} messages on ${topic}`, () => this.json(topic).length >= count);
    return this.json(topic);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return;
    this.client.end(true);
    await until("the device's connection is closed", () => this.closed);
  }
}
