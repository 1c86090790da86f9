import { type IPublishPacket, type Packet, parser } from "mqtt-packet";
import { atRate } from "./at_rate.ts";
import { inParallel } from "./in_parallel.ts";
import { Latencies } from "./latencies.ts";
import { mqttConnect, mqttPuback, mqttPublish, mqttSubscribe } from "./mqtt_frames.ts";
import type { Receiving } from "./receivers.ts";
import { TEXT } from "./senders.ts";
import { until } from "../testing/until.ts";

/** A device, its room, and the topics that matter here. */
export interface LoadDevice {
  id: string;
  password: string;
  send: string;
  telemetry: string;
  receipts: string;
  events: string;
}

/** Every device keeps `inFlight` messages on their way to their receipts, for `ms`. */
export interface MqttSendsJob {
  do: "mqtt-sends";
  inFlight: number;
  ms: number;
}

/** The devices in turn publish `perSecond` messages together for `ms`, whatever comes back. */
export interface MqttPaceJob {
  do: "mqtt-pace";
  perSecond: number;
  ms: number;
}

/** What the devices reached; a receipt follows the commit. */
export interface MqttSends {
  perSecond: number;
  /** Messages without a receipt, or that were refused. */
  wrong: number;
  p50Ms: number;
  p99Ms: number;
}

interface Device extends LoadDevice {
  conn: Deno.TcpConn;
  writing: Promise<unknown>;
  next: number;
}

const CONNECTING = 16;
const DRAIN_MS = 30_000;

/** Devices over plain TCP, MQTT 3.1.1, QoS 1. */
export class MqttDevices implements Receiving {
  delivered = 0;
  wrong = 0;
  onEvents: (first: number, last: number) => void = () => {};
  readonly #devices: Device[] = [];
  readonly #sentAt = new Map<string, { at: number; device: Device }>();
  #latencies = new Latencies();
  #sent = 0;
  #open = false;

  /** `failed` is told when a connection ends. */
  constructor(private readonly failed: (why: string) => void) {}

  get size(): number {
    return this.#devices.length;
  }

  /** Connects the devices as soon as the broker knows them, and subscribes with QoS 1. */
  async connect(port: number, devices: LoadDevice[], to: "receipts" | "events"): Promise<void> {
    await inParallel(CONNECTING, devices, async (device, i) => {
      await until("the broker admits the device", async () => {
        const connected = await this.#connect(port, device, to).catch(() => undefined);
        if (connected !== undefined) this.#devices[i] = connected;
        return connected !== undefined;
      }, DRAIN_MS);
    });
  }

  async sends({ inFlight, ms }: MqttSendsJob): Promise<MqttSends> {
    this.#latencies = new Latencies();
    const wrong = this.wrong;
    const start = performance.now();
    this.#open = true;
    for (const device of this.#devices) for (let i = 0; i < inFlight; i++) this.#send(device);
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.#open = false;
    return await this.#result(start, wrong);
  }

  async #result(start: number, wrong: number): Promise<MqttSends> {
    const all = () => this.#sentAt.size === 0;
    await until("every receipt came", all, DRAIN_MS).catch(() => {});
    const missing = this.#sentAt.size;
    this.#sentAt.clear();
    return {
      perSecond: this.#latencies.count * 1000 / (performance.now() - start),
      wrong: this.wrong - wrong + missing,
      p50Ms: this.#latencies.percentile(50),
      p99Ms: this.#latencies.percentile(99),
    };
  }

  /** The open loop: latencies count from when a message was due. */
  async pace({ perSecond, ms }: MqttPaceJob): Promise<MqttSends> {
    this.#latencies = new Latencies();
    const wrong = this.wrong;
    const start = performance.now();
    await atRate(perSecond * ms / 1000, perSecond, (number, dueAt) => {
      this.#send(this.#devices[number % this.#devices.length]!, dueAt);
    });
    return await this.#result(start, wrong);
  }

  /** The devices in turn: `number` says whose these readings are. Resolves when they are on their way. */
  publishReadings(number: number, payload: string): Promise<unknown> {
    const device = this.#devices[number % this.#devices.length]!;
    write(device, mqttPublish(device.telemetry, payload, number % 65535 + 1));
    return device.writing;
  }

  async #connect(port: number, device: LoadDevice, to: "receipts" | "events"): Promise<Device> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    const connected: Device = { ...device, conn, writing: Promise.resolve(), next: 0 };
    const ready = Promise.withResolvers<void>();
    const stream = parser({ protocolVersion: 4 });
    stream.on("packet", (packet: Packet) => {
      if (packet.cmd === "connack" && packet.returnCode === 0) {
        write(connected, mqttSubscribe(device[to], 1));
      } else if (packet.cmd === "connack") ready.reject(new Error("Not admitted"));
      else if (packet.cmd === "suback") ready.resolve();
      else if (packet.cmd === "publish") this.#take(connected, packet);
    });
    write(connected, mqttConnect(device.id, { username: device.id, password: device.password }));
    void this.#read(conn, (chunk) => stream.parse(chunk), ready.reject);
    try {
      await ready.promise;
    } catch (error) {
      conn.close();
      throw error;
    }
    return connected;
  }

  async #read(conn: Deno.TcpConn, take: (chunk: Buffer) => void, lost: (why: Error) => void) {
    try {
      // deno-lint-ignore no-node-globals -- what the parser takes
      const chunk = () => Buffer.allocUnsafe(16384);
      for (let buffer = chunk(), n; (n = await conn.read(buffer)) !== null; buffer = chunk()) {
        take(buffer.subarray(0, n));
      }
      lost(new Error("The broker closed the connection"));
      if (this.#devices.some((device) => device?.conn === conn)) this.failed("A device was closed");
    } catch (error) {
      lost(error as Error); // closed by us, or refused
    }
  }

  #take(device: Device, packet: IPublishPacket): void {
    if (packet.qos === 1) write(device, mqttPuback(packet.messageId!));
    const body = JSON.parse(packet.payload.toString());
    if (packet.topic === device.receipts) this.#receipt(device, body.clientId);
    else this.#event(device, body.seq, body.event.type === "message.created");
  }

  #receipt(device: Device, clientId: string): void {
    const sent = this.#sentAt.get(clientId);
    if (sent === undefined) return void this.wrong++;
    this.#sentAt.delete(clientId);
    this.#latencies.add(performance.now() - sent.at);
    if (this.#open) this.#send(device);
  }

  #event(device: Device, seq: number, isMessage: boolean): void {
    if (device.next !== 0 && seq !== device.next) this.wrong++;
    device.next = seq + 1;
    if (!isMessage) return;
    this.delivered++;
    this.onEvents(seq, seq);
  }

  #send(device: Device, at = performance.now()): void {
    const number = ++this.#sent;
    const clientId = `m${number}`;
    this.#sentAt.set(clientId, { at, device });
    const payload = JSON.stringify({ text: TEXT, clientId });
    write(device, mqttPublish(device.send, payload, number % 65535 + 1));
  }
}

function write(device: Device, bytes: Uint8Array): void {
  device.writing = device.writing.then(async () => {
    for (let at = 0; at < bytes.length;) at += await device.conn.write(bytes.subarray(at));
  }).catch(() => {});
}
