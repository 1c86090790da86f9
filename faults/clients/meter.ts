import mqtt, { type IClientPublishOptions, type MqttClient } from "mqtt";
import type { PrincipalId, RoomId } from "../../lib/protocol.ts";
import type { MeterRecord, MetricRecord, MetricRule, ReadingRecord } from "../history_metering.ts";
import type { Random } from "../random.ts";
import type { Recorder } from "../recorder.ts";
import type { Client } from "./client.ts";
import type { MqttAccess } from "./mqtt_device.ts";
import { wait } from "./waiting.ts";

/** How a meter behaves. */
export interface MeterOptions {
  name: string;
  access: MqttAccess;
  rooms: RoomId[];
  recorder: Recorder;
  signal: AbortSignal;
  random: Random;
}

/**
 * A device that measures: it publishes each reading once, with QoS 1 and its own time, and says
 * when it is there, in a session of its own for every connection (mqtt-bridge/README.md,
 * "Presence" and "Telemetry").
 */
export class Meter implements Client {
  readonly via = "mqtt";
  readonly name: string;
  readonly principal: PrincipalId;
  readonly record: MeterRecord;
  readonly #options: MeterOptions;
  readonly #metrics = new Map<string, MetricRecord>();
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #running: Promise<void>;
  #client: MqttClient | undefined;
  /** The one before is as if it were of an earlier run, so that a late last will has one. */
  #session = 1;
  #born = false;
  #awake = Promise.withResolvers<void>();

  constructor(options: MeterOptions) {
    const { name, access, recorder, rooms, signal } = options;
    this.#options = options;
    this.name = name;
    this.principal = access.username;
    const none = { births: [], lateWills: [], heard: [], sleeps: [] };
    this.record = {
      ...{ device: this.principal, rooms, ...none, awaited: { silent: 0, back: 0 } },
    };
    recorder.metering.meters.push(this.record);
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
    this.#awake.resolve();
    this.#running = this.#run();
  }

  /** It has a connection, and the broker has its birth. */
  get connected(): boolean {
    return this.#born;
  }

  get asleep(): boolean {
    const last = this.record.sleeps.at(-1);
    return last !== undefined && last.to === undefined;
  }

  /** It reads nothing. */
  follow(): void {}

  position(): undefined {}

  cut(): number {
    if (!this.#client?.connected) return 0;
    this.#client.stream.destroy();
    return 1;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** What becomes a message of a metric; to be said before its first reading. */
  rule(room: RoomId, metric: string, rule: MetricRule): void {
    this.#metric(room, metric).rule = rule;
  }

  /**
   * Publishes one reading of each of these metrics of a room, together; nothing without a
   * connection. Readings that come with `agoMs` were taken so long ago.
   */
  measure(room: RoomId, values: Record<string, number>, agoMs = 0): void {
    const { recorder, access } = this.#options;
    if (!this.#born) return recorder.count("readings without a connection");
    const sentAt = recorder.now();
    const taken = Object.entries(values).map(([name, value]) => {
      const metric = this.#metric(room, name);
      const reading: ReadingRecord = { at: freeTime(metric, agoMs), value, sentAt };
      metric.readings.push(reading);
      return { name, reading };
    });
    const readings = taken.map(({ name, reading: { at, value } }) => ({
      ...{ metric: name, value, at: new Date(at).toISOString() },
    }));
    const topic = access.topics.telemetry.replace("{room}", room);
    this.#publish(topic, { readings }, {}, (at) => {
      this.record.heard.push(at);
      for (const { reading } of taken) reading.ackedAt = at;
    });
  }

  /** As a broker that brings the last will of an older connection late. */
  lateWill(): void {
    if (!this.#born) return;
    const will = { online: false, session: this.#session - 1 };
    this.#publish(this.#options.access.topics.status, will, { retain: true }, (at) => {
      this.record.lateWills.push(at);
    });
  }

  /** Goes without a word, until wake(). */
  sleep(): void {
    if (this.asleep) return;
    this.#awake = Promise.withResolvers();
    this.record.sleeps.push({ from: this.#options.recorder.now() });
    this.#client?.stream?.destroy();
  }

  wake(): void {
    if (!this.asleep) return;
    this.record.sleeps.at(-1)!.to = this.#options.recorder.now();
    this.#awake.resolve();
  }

  async #run(): Promise<void> {
    const { random } = this.#options;
    const stopped = new Promise<void>((resolve) =>
      this.#signal.addEventListener("abort", () => resolve(), { once: true })
    );
    while (!this.#signal.aborted) {
      await Promise.race([this.#awake.promise, stopped]);
      if (this.#signal.aborted) return;
      await this.#connection(stopped);
      await wait(300 + random.between(0, 500), this.#signal);
    }
  }

  /** One connection from its beginning to its end. */
  async #connection(stopped: Promise<void>): Promise<void> {
    const { access, random, recorder } = this.#options;
    const session = ++this.#session;
    const protocolVersion = random.next() < 0.5 ? 4 : 5;
    const will = { online: false, session };
    const client = this.#client = mqtt.connect(`mqtt://${access.host}:${access.port}`, {
      username: access.username,
      password: access.password,
      clientId: access.clientId,
      clean: true,
      protocolVersion,
      keepalive: 5,
      connectTimeout: 5000,
      reconnectPeriod: 0,
      timerVariant: "native",
      will: {
        topic: access.topics.status,
        payload: new TextEncoder().encode(JSON.stringify(will)) as Buffer,
        qos: 1,
        retain: true,
      },
    });
    const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
    client.on("error", () => recorder.count("meter error"));
    client.once("connect", () => {
      recorder.count("meter connected");
      const birth = { online: true, session };
      this.#publish(access.topics.status, birth, { retain: true }, (at) => {
        this.record.births.push({ at, session });
        this.record.heard.push(at);
        if (this.#client === client) this.#born = true;
      });
    });
    await Promise.race([closed, stopped]);
    this.#born = false;
    this.#client = undefined;
    client.end(true);
  }

  #publish(
    topic: string,
    payload: object,
    options: IClientPublishOptions,
    acknowledged: (at: number) => void,
  ): void {
    this.#client?.publish(topic, JSON.stringify(payload), { qos: 1, ...options }, (error) => {
      if (error) return this.#options.recorder.count("meter publish failed");
      acknowledged(this.#options.recorder.now());
    });
  }

  #metric(room: RoomId, metric: string): MetricRecord {
    const key = `${room} ${metric}`;
    let record = this.#metrics.get(key);
    if (record === undefined) {
      record = { device: this.principal, room, metric, readings: [] };
      this.#metrics.set(key, record);
      this.#options.recorder.metering.metrics.push(record);
    }
    return record;
  }
}

/** A time that no other reading of the metric has. */
function freeTime({ readings }: MetricRecord, agoMs: number): number {
  const taken = new Set(readings.slice(-100).map(({ at }) => at));
  let at = Date.now() - agoMs;
  while (taken.has(at)) at++;
  return at;
}
