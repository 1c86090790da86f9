import mqtt, { type MqttClient } from "mqtt";
import type { Metadata, MqttAccess } from "../lib/client/mod.ts";
import type { Equipment } from "./equipment.ts";
import { Refusal } from "./equipment.ts";

/** Answers that are kept for commands that come again. */
const KEPT_ANSWERS = 20;

/**
 * A device on the network: it speaks MQTT as any firmware would, by the credentials it was given.
 * It says that it is there (and leaves a will for when it is not), reports its state, publishes its
 * readings, follows its desired state and answers commands.
 */
export class Device {
  readonly equipment: Equipment;
  /** It says nothing, though it is connected. */
  silent = false;
  #access: MqttAccess;
  #room: string;
  #client: MqttClient | undefined;
  #reported = "";
  #answers = new Map<string, string>();

  constructor(equipment: Equipment, access: MqttAccess, room: string) {
    this.equipment = equipment;
    this.#access = access;
    this.#room = room;
  }

  get connected(): boolean {
    return this.#client?.connected === true;
  }

  /** It lost its connection by drop(), and start() brings it back. */
  get dropped(): boolean {
    return this.#client === undefined;
  }

  /** Connects, and stays connected until stop() or drop(); resolves when it is there. */
  async start(): Promise<void> {
    const { host, port, tls, clientId, username, password } = this.#access;
    const session = Date.now();
    const status = this.#topic("status");
    const will = JSON.stringify({ online: false, session });
    const client = mqtt.connect(`${tls ? "mqtts" : "mqtt"}://${host}:${port}`, {
      clientId,
      username,
      password,
      protocolVersion: 5,
      keepalive: 20,
      reconnectPeriod: 2000,
      connectTimeout: 10_000,
      timerVariant: "native",
      will: {
        topic: status,
        payload: new TextEncoder().encode(will) as never,
        qos: 1,
        retain: true,
      },
    });
    this.#client = client;
    client.on("error", () => {});
    client.on("message", (topic, payload) => this.#hear(topic, payload.toString()));
    const there = new Promise<void>((resolve, reject) => {
      client.once("connect", () => resolve());
      client.once("error", reject);
      client.once("offline", () => reject(new Error(`${this.equipment.name} cannot connect`)));
    });
    client.on("connect", () => {
      this.#reported = "";
      client.subscribe([this.#topic("commands"), this.#topic("desired")], { qos: 1 });
      this.#publish("status", { online: true, session }, { qos: 1, retain: true });
    });
    await there;
  }

  /** One second of its life: readings, and its state when that has changed. */
  tick(): void {
    if (this.silent || !this.connected) return;
    this.#publish("telemetry", this.equipment.readings());
    const reported = JSON.stringify(this.equipment.reported());
    if (reported === this.#reported) return;
    this.#reported = reported;
    this.#publish("reported", JSON.parse(reported), { qos: 1, retain: true });
  }

  /** Loses its connection without a word, as with a loose cable: the broker speaks its will. */
  async drop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    client?.stream.destroy();
    await client?.endAsync(true);
  }

  /** Says that it goes, and goes. */
  async stop(): Promise<void> {
    const client = this.#client;
    if (client === undefined) return;
    this.#client = undefined;
    await client.endAsync(true);
  }

  #hear(topic: string, payload: string): void {
    if (payload === "") return;
    const heard = JSON.parse(payload);
    if (topic === this.#topic("desired")) this.equipment.desire(heard.desired);
    else this.#obey(heard);
    this.tick();
  }

  /** A command that comes again is answered as before, and not obeyed twice. */
  #obey({ commandId, name, args, expiresAt }: {
    commandId: string;
    name: string;
    args: Metadata;
    expiresAt: string;
  }): void {
    if (Date.parse(expiresAt) <= Date.now()) return;
    const answer = this.#answers.get(commandId) ?? JSON.stringify(this.#run(name, args));
    this.#answers.set(commandId, answer);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > KEPT_ANSWERS) this.#answers.delete(oldest!);
    this.#publish("replies", { commandId, ...JSON.parse(answer) }, { qos: 1 });
  }

  #run(name: string, args: Metadata): { ok: boolean; text: string } {
    const action = this.equipment.actions.find((action) => action.name === name);
    if (action === undefined) return { ok: false, text: `I do not know "${name}"` };
    try {
      return { ok: true, text: action.run(args) };
    } catch (error) {
      if (error instanceof Refusal) return { ok: false, text: error.message };
      throw error;
    }
  }

  #publish(name: string, payload: Metadata, options: { qos?: 0 | 1; retain?: boolean } = {}): void {
    this.#client?.publish(this.#topic(name), JSON.stringify(payload), { qos: 0, ...options });
  }

  #topic(name: string): string {
    return this.#access.topics[name]!.replace("{room}", this.#room);
  }
}
