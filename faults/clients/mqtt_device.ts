import mqtt, { type IClientPublishOptions, type MqttClient } from "mqtt";
import type { LogEntry, PrincipalId, RoomId } from "../../lib/protocol.ts";
import type { WriteKind, WriteRecord } from "../history.ts";
import type { Random } from "../random.ts";
import type { Recorder } from "../recorder.ts";
import type { Writer } from "./client.ts";
import type { DevicePart, DevicePartMaker } from "./device_part.ts";
import { DeviceRoom } from "./device_room.ts";
import { MqttOutbox } from "./mqtt_outbox.ts";
import { wait } from "./waiting.ts";

const TICK_MS = 100;
const THROUGH = "mosquitto";
/** Birth and last will (mqtt-bridge/README.md, "Topics"). */
const ONLINE = JSON.stringify({ online: true });
const OFFLINE = JSON.stringify({ online: false });

/** What `POST /v1/devices` answers about the broker. */
export interface MqttAccess {
  host: string;
  port: number;
  clientId: string;
  username: string;
  password: string;
  topics: Record<
    | ("send" | "events" | "head" | "receipts" | "errors" | "requests" | "responses")
    | ("commands" | "replies" | "desired" | "reported" | "telemetry" | "status"),
    string
  >;
}

/** How a device behaves. */
export interface MqttDeviceOptions {
  name: string;
  access: MqttAccess;
  recorder: Recorder;
  signal: AbortSignal;
  random: Random;
  /** What it does beside sending and following. */
  parts?: readonly DevicePartMaker[];
}

/**
 * A device as firmware would be: a kept session, QoS 1, MQTT 3.1.1 or 5 by chance. It repeats each
 * message until its receipt, and asks for the history of what it missed.
 */
export class MqttDevice implements Writer {
  readonly via = "mqtt";
  readonly writes = ["send"] as const;
  readonly name: string;
  readonly principal: PrincipalId;
  readonly version: 4 | 5;
  readonly #options: MqttDeviceOptions;
  readonly #rooms = new Map<RoomId, DeviceRoom>();
  readonly #outbox: MqttOutbox;
  readonly #client: MqttClient;
  readonly #parts: readonly DevicePart[];
  readonly #closed = Promise.withResolvers<void>();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #followed = new Set<RoomId>();
  #requests = 0;
  #stopping: Promise<void> | undefined;
  readonly #onAbort = () => void this.stop();

  constructor(options: MqttDeviceOptions) {
    const { name, access, recorder, random, signal, parts = [] } = options;
    this.#options = options;
    this.name = name;
    this.principal = access.username;
    this.version = random.next() < 0.5 ? 4 : 5;
    this.#outbox = new MqttOutbox(recorder, random, this.principal);
    this.#parts = parts.map((make) =>
      make({
        ...{ name, principal: this.principal, topics: access.topics, recorder },
        random: random.fork(),
        publish: (topic, payload, retain) => {
          if (this.connected) this.#publish(topic, payload, retain);
        },
        subscribe: (filter) => {
          if (this.connected) this.#client.subscribe(filter, { qos: 1 }, () => {});
        },
      })
    );
    this.#client = mqtt.connect(`mqtt://${access.host}:${access.port}`, {
      username: access.username,
      password: access.password,
      clientId: access.clientId,
      clean: false,
      protocolVersion: this.version,
      keepalive: 5,
      connectTimeout: 5000,
      reconnectPeriod: 300 + random.between(0, 500),
      reconnectOnConnackError: true,
      resubscribe: false,
      timerVariant: "native",
      will: {
        topic: access.topics.status,
        payload: new TextEncoder().encode(OFFLINE) as Buffer,
        qos: 1,
        retain: true,
      },
      ...(this.version === 5 ? { properties: { sessionExpiryInterval: 600 } } : {}),
    });
    this.#listen();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    signal.addEventListener("abort", this.#onAbort);
    if (signal.aborted) this.#onAbort();
  }

  get backlog(): number {
    return this.#outbox.size;
  }

  get connected(): boolean {
    return this.#client.connected;
  }

  follow(room: RoomId): void {
    this.#followed.add(room);
    this.#room(room);
  }

  position(room: RoomId): number | undefined {
    return this.#followed.has(room) ? this.#room(room).have : undefined;
  }

  write(room: RoomId, what: WriteKind): WriteRecord {
    const record = this.#options.recorder.write(this.principal, room, this.via, what);
    this.#outbox.add(record);
    this.#pump();
    return record;
  }

  cut(): number {
    if (!this.#client.connected) return 0;
    this.#client.stream.destroy();
    return 1;
  }

  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  async #stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#options.signal.removeEventListener("abort", this.#onAbort);
    this.#outbox.clear();
    const wasOpen = this.#client.connected;
    this.#client.end(true, () => this.#closed.resolve());
    const enough = new AbortController();
    await Promise.race([this.#closed.promise, wait(2000, enough.signal)]);
    enough.abort();
    if (wasOpen) { for (const room of this.#rooms.values()) room.disconnected(); }
  }

  #listen(): void {
    const client = this.#client;
    const { recorder, access: { topics } } = this.#options;
    client.on("connect", ({ sessionPresent }) => {
      recorder.count(`mqtt connected, session ${sessionPresent ? "kept" : "new"}`);
      const anyRoom = (topic: string) => topic.replace("{room}", "+");
      const down = [anyRoom(topics.events), anyRoom(topics.head)];
      const filters = [...down, topics.receipts, topics.errors, topics.responses];
      const more = this.#parts.flatMap((part) => part.filters);
      client.subscribe([...filters, ...more], { qos: 1 }, (error) => {
        // What was granted before holds in a kept session; a connection that broke comes back.
        if (error) recorder.count("mqtt subscribe failed");
      });
      this.#publish(topics.status, ONLINE, true);
      for (const part of this.#parts) part.connected();
      this.#outbox.connected();
      this.#pump();
    });
    client.on("close", () => {
      recorder.count("mqtt closed");
      for (const room of this.#rooms.values()) room.disconnected();
      for (const part of this.#parts) part.closed();
    });
    client.on("error", (error) => recorder.count(`mqtt error ${codeOf(error)}`));
    client.on("message", (topic, payload, { retain }) => {
      const text = payload.toString();
      if (!this.#parts.some((part) => part.take(topic, text, retain))) this.#take(topic, text);
    });
  }

  #take(topic: string, payload: string): void {
    const { topics } = this.#options.access;
    if (topic === topics.receipts) {
      this.#outbox.receipt(JSON.parse(payload));
      return this.#pump();
    }
    if (topic === topics.errors) return this.#outbox.refused(JSON.parse(payload));
    if (topic === topics.responses) {
      const answer = JSON.parse(payload);
      for (const room of this.#rooms.values()) if (room.answer(answer, THROUGH)) break;
      return this.#ask();
    }
    const room = this.#room(topic.split("/").at(-2)!);
    if (topic.endsWith("/head")) return room.head(payload === "" ? undefined : JSON.parse(payload));
    room.live(JSON.parse(payload) as LogEntry, THROUGH);
  }

  #room(id: RoomId): DeviceRoom {
    let room = this.#rooms.get(id);
    if (room === undefined) {
      room = new DeviceRoom(this.#options.recorder, this.principal, this.name, id);
      this.#rooms.set(id, room);
    }
    return room;
  }

  #tick(): void {
    this.#ask();
    this.#pump();
    if (this.connected) { for (const part of this.#parts) part.tick(); }
  }

  #ask(): void {
    if (!this.#client.connected) return;
    for (const room of this.#rooms.values()) {
      const request = room.request(`r${this.#requests + 1}`);
      if (request === undefined) continue;
      this.#requests++;
      this.#publish(this.#options.access.topics.requests, JSON.stringify(request));
    }
  }

  #pump(): void {
    if (!this.#client.connected) return;
    const { send } = this.#options.access.topics;
    this.#outbox.pump((room, payload) => this.#publish(send.replace("{room}", room), payload));
  }

  /** Whether it arrived is for the receipt, or the answer, to say. */
  #publish(topic: string, payload: string, retain = false): void {
    const options: IClientPublishOptions = { qos: 1, retain };
    this.#client.publish(topic, payload, options, (error) => {
      if (error) this.#options.recorder.count("mqtt publish failed");
    });
  }
}

function codeOf(error: Error & { code?: number | string }): string {
  return `${error.code ?? error.message}`.slice(0, 40);
}
