import type { PrincipalId, RoomId } from "../lib/protocol.ts";
import { Account } from "./clients/account.ts";
import { type Api, verdict } from "./clients/api.ts";
import type { Client, Writer } from "./clients/client.ts";
import { DEVICE_PARTS } from "./clients/device_parts.ts";
import { type MqttAccess, MqttDevice } from "./clients/mqtt_device.ts";
import { RestReader } from "./clients/rest_reader.ts";
import { RestWriter } from "./clients/rest_writer.ts";
import { SseClient } from "./clients/sse_client.ts";
import { againMs, reached, wait } from "./clients/waiting.ts";
import { WsClient } from "./clients/ws_client.ts";
import type { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";

/** How long a device may wait for the broker to know it. */
const DEVICE_MS = 30_000;
const STRANGER_MS = 4000;

/** What the cast is made with. */
export interface CastContext {
  api: Api;
  recorder: Recorder;
  random: Random;
  signal: AbortSignal;
  /** False where no broker is: then there are people only. */
  devices: boolean;
  /** How often one of the people refreshes the token of an open socket. */
  renewEveryMs: number;
}

/** A room with those who are in it at the beginning; `weight` is its part of the talk. */
export interface CastRoom {
  id: RoomId;
  weight: number;
  members: PrincipalId[];
}

/** A device and what it takes to reach the broker. */
export interface CastDevice {
  id: PrincipalId;
  client: MqttDevice;
}

/** The rooms by the people and devices in them. The owner, who made the rooms, is in all. */
const ROOMS: { weight: number; people: string[]; devices: string[] }[] = [
  {
    weight: 5,
    people: ["person1", "person2", "person3", "person4", "person5", "flapper", "leaver"],
    devices: [],
  },
  { weight: 2, people: ["person1", "person2"], devices: ["device1", "device2", "doomed"] },
  {
    weight: 2,
    people: ["person2", "person3", "person4", "flapper"],
    devices: ["device2", "guest"],
  },
  { weight: 1, people: ["person1", "person5", "leaver"], devices: ["device1"] },
];
const PEOPLE = ["person1", "person2", "person3", "person4", "person5", "flapper", "leaver"];
const DEVICES = ["device1", "device2", "doomed", "guest"];

/** Everybody who takes part in a run, with their programs. */
export class Cast {
  readonly rooms: CastRoom[] = [];
  readonly clients: Client[] = [];
  readonly writers: Writer[] = [];
  readonly accounts = new Map<string, Account>();
  readonly devices = new Map<string, CastDevice>();
  /** Writes as the owner of all rooms. */
  readonly owner: RestWriter;

  private constructor(readonly context: CastContext, readonly ownerAccount: Account) {
    this.accounts.set("owner", ownerAccount);
    this.owner = new RestWriter({ ...context, account: ownerAccount, name: "owner-rest" });
  }

  /** Signs everybody up, makes the rooms, adds the members and starts the programs. */
  static async gather(context: CastContext): Promise<Cast> {
    const { recorder } = context;
    const register = async (name: string, stranger = false) => {
      const options = { ...context, comesBack: name !== "leaver" };
      const account = await Account.register(name, options);
      recorder.principals.push({ id: account.id, name, kind: "user", stranger });
      return account;
    };
    const cast = new Cast(context, await register("owner"));
    await Promise.all(PEOPLE.map(async (name) => cast.accounts.set(name, await register(name))));
    cast.accounts.set("stranger", await register("stranger", true));
    if (context.devices) await Promise.all(DEVICES.map((name) => cast.#device(name)));
    for (const [i, room] of ROOMS.entries()) await cast.#room(`room ${i + 1}`, room);
    cast.#programs();
    await cast.#devicesConnected();
    return cast;
  }

  account(name: string): Account {
    return this.accounts.get(name)!;
  }

  /** Everything that somebody runs. */
  clientsOf(principal: PrincipalId): Client[] {
    return this.clients.filter((client) => client.principal === principal);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.clients, this.owner].map((client) => client.stop()));
  }

  /** A call as the owner, repeated until it succeeds; throws when it is refused. */
  // deno-lint-ignore no-explicit-any -- plain JSON, read by whoever knows what was asked
  async call(method: string, path: string, body?: unknown): Promise<any> {
    const { api, random, signal } = this.context;
    for (let tries = 1; !signal.aborted; tries++) {
      const token = await this.ownerAccount.token();
      const answer = await api.request(method, path, { token, body });
      if (answer.code === "") return answer.body;
      if (verdict(answer.code) === "final") {
        throw new Error(`${method} ${path} was answered with ${answer.code}`);
      }
      await wait(answer.retryAfterMs ?? againMs(tries, random), signal);
    }
    throw new Error("The run ended before its rooms were made");
  }

  async #device(name: string): Promise<void> {
    const { recorder, random } = this.context;
    const { device, mqtt } = await this.call("POST", "/v1/devices", { name }) as {
      device: { id: PrincipalId };
      mqtt: MqttAccess;
    };
    recorder.principals.push({ id: device.id, name, kind: "device", stranger: false });
    const client = new MqttDevice({
      ...this.context,
      random: random.fork(),
      access: mqtt,
      name: `${name}-mqtt`,
      parts: DEVICE_PARTS,
    });
    this.devices.set(name, { id: device.id, client });
    this.#run(client);
  }

  async #room(name: string, { weight, people, devices }: typeof ROOMS[number]): Promise<void> {
    const { recorder } = this.context;
    const body = { name, visibility: "private" };
    const { room } = await this.call("POST", "/v1/rooms", body);
    recorder.rooms.push({ id: room.id, name });
    const members = [
      ...people.map((one) => this.account(one).id),
      ...devices.flatMap((one) => this.devices.get(one)?.id ?? []),
    ];
    for (const principal of members) {
      const { refusal } = await this.owner.written(room.id, {
        type: "add",
        principal,
        role: "member",
      });
      if (refusal !== undefined) throw new Error(`A member was refused: ${refusal.code}`);
    }
    this.rooms.push({ id: room.id, weight, members: [this.ownerAccount.id, ...members] });
  }

  #programs(): void {
    const { context } = this;
    const { api, recorder, signal } = context;
    const of = (who: string, how: string) => ({
      api,
      recorder,
      signal,
      random: context.random.fork(),
      account: this.account(who),
      name: `${who}-${how}`,
    });
    this.writers.push(this.owner);
    this.#run(new RestReader({ ...of("owner", "log"), everyMs: 700 }));
    this.#run(new WsClient(of("person1", "ws")));
    this.#run(new WsClient({ ...of("person2", "ws"), renewEveryMs: context.renewEveryMs }));
    this.#run(new WsClient(of("person3", "ws")));
    this.#run(new SseClient(of("person3", "sse")));
    this.#run(new WsClient(of("person4", "ws")));
    this.#run(new RestReader({ ...of("person4", "log"), everyMs: 900 }));
    this.#run(new SseClient(of("person5", "sse")));
    this.#run(new RestWriter(of("person5", "rest")));
    this.#run(new WsClient(of("flapper", "ws")));
    this.#run(new SseClient(of("flapper", "sse")));
    this.#run(new WsClient({ ...of("leaver", "ws"), stubborn: true }));
    this.#run(new SseClient({ ...of("leaver", "sse"), stubborn: true }));
    this.#run(new WsClient({ ...of("stranger", "ws"), knockMs: STRANGER_MS }));
    this.#run(new SseClient({ ...of("stranger", "sse"), knockMs: STRANGER_MS }));
    this.#run(new RestReader({ ...of("stranger", "log"), everyMs: STRANGER_MS }));
    for (const { id, members } of this.rooms) {
      for (const client of this.clients) {
        const stranger = client.principal === this.account("stranger").id;
        if (stranger || members.includes(client.principal)) client.follow(id);
      }
    }
  }

  #run(client: Client): void {
    this.clients.push(client);
    if ("write" in client) this.writers.push(client as Writer);
  }

  /** A broker may learn of a device only a moment after it was made. */
  async #devicesConnected(): Promise<void> {
    const { signal } = this.context;
    const devices = [...this.devices.values()];
    const all = () => devices.every(({ client }) => client.connected);
    if (!await reached(all, DEVICE_MS, signal)) throw new Error("The broker admits no device");
  }
}
