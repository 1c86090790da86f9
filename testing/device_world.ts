/**
 * A whole installation for tests of devices, in this process: REST, the bridge, and one of the
 * brokers, where devices know nothing but what REST has told them.
 */
import { assert, assertEquals } from "@std/assert";
import { readConfig } from "../lib/config.ts";
import { createLog } from "../lib/log.ts";
import { openServices } from "../lib/services.ts";
import { startBridgeRole } from "../mqtt-bridge/role.ts";
import { endpointOf } from "../routes/mqtt_endpoint.ts";
import { startWeb } from "../routes/web.ts";
import { type Account, ApiClient } from "./api_client.ts";
import { single } from "./backend.ts";
import { findMosquitto, freePort, startMosquitto, type TestMosquitto } from "./mosquitto.ts";
import { RawMqtt, type RawMqttOptions } from "./raw_mqtt.ts";
import type { Service } from "./services.ts";
import { until } from "./until.ts";

/** What REST tells of a device, and the device's id. */
export interface DeviceAccess {
  id: string;
  host: string;
  port: number;
  tls: boolean;
  clientId: string;
  username: string;
  password: string;
  /** Two tools may run side by side, with the client id and `-` and anything. */
  clientIdSuffix: boolean;
  /** By name; those of a room hold `{room}`. */
  topics: Record<string, string>;
}

/** A kind of broker to run the same tests against. */
export interface DeviceWorldKind {
  name: "embedded" | "Mosquitto";
  service: Service;
  /** `env` comes on top of generous limits. */
  start(env?: Record<string, string>): Promise<DeviceWorld>;
}

/** Both kinds of broker. */
export async function deviceWorlds(): Promise<DeviceWorldKind[]> {
  return [
    {
      name: "embedded",
      service: { name: "Postgres" },
      start: (env) => DeviceWorld.start("embedded", undefined, env),
    },
    {
      name: "Mosquitto",
      service: await findMosquitto(),
      start: async (env) => await DeviceWorld.start("Mosquitto", await startMosquitto(), env),
    },
  ];
}

/** An installation that runs. */
export class DeviceWorld implements AsyncDisposable {
  private constructor(
    readonly kind: DeviceWorldKind["name"],
    readonly api: ApiClient,
    /** Where the broker listens. */
    readonly port: number,
    /** The bridge has a connection to the broker. */
    readonly bridgeConnected: () => boolean,
    /** Anna owns everything that a test makes. */
    readonly owner: Account,
    /** The lines of the log so far. */
    readonly lines: string[],
    private readonly opened: AsyncDisposableStack,
    private readonly tls: RawMqttOptions["tls"],
  ) {}

  /** `broker` is the world's from now on; devices connect with `tls`, if it is given. */
  static async start(
    kind: DeviceWorldKind["name"],
    broker: TestMosquitto | undefined,
    env: Record<string, string> = {},
    tls?: RawMqttOptions["tls"],
  ): Promise<DeviceWorld> {
    await using stack = new AsyncDisposableStack();
    if (broker !== undefined) stack.use(broker);
    const backend = stack.use(await single().start());
    const brokerEnv: Record<string, string> = broker === undefined
      ? { MQTT_PORT: `${freePort()}` }
      : {
        MQTT_URL: broker.url,
        MQTT_USERNAME: broker.bridge.username,
        MQTT_PASSWORD: broker.bridge.password,
      };
    const config = readConfig({ ...backend.env, PORT: `${freePort()}`, ...brokerEnv, ...env });
    const lines: string[] = [];
    const log = createLog("info", (line) => lines.push(line));
    const services = stack.use(await openServices(config, { log }));
    const role = await startBridgeRole(services);
    stack.defer(() => role.stop());
    const endpoint = endpointOf(config.mqtt.broker?.publicUrl) ?? role.endpoint!;
    const web = startWeb(services, () => endpoint);
    stack.defer(() => web.stop());
    const connected = () => role.bridge.health().connected;
    await until("the bridge is connected", connected);
    const api = new ApiClient(web.url);
    const owner = await api.register("anna");
    const opened = stack.move();
    return new DeviceWorld(kind, api, endpoint.port, connected, owner, lines, opened, tls);
  }

  /** Makes a room of the owner. */
  room(): Promise<string> {
    return this.api.room(this.owner);
  }

  /** Makes a device, and a member of these rooms, and waits until the broker knows it. */
  async device(...rooms: string[]): Promise<DeviceAccess> {
    const { status, body } = await this.#owner("POST", "/v1/devices", { name: "Sensor" });
    assertEquals(status, 201, JSON.stringify(body));
    const access: DeviceAccess = { id: body.device.id, ...body.mqtt };
    for (const room of rooms) {
      const path = `/v1/rooms/${room}/members/${access.id}`;
      assertEquals((await this.#owner("PUT", path, {})).status, 201);
    }
    await using _first = await this.connect(access);
    return access;
  }

  /** Replaces a device's secret; resolves with the new access. */
  async rotate({ id }: DeviceAccess): Promise<DeviceAccess> {
    const { status, body } = await this.#owner("POST", `/v1/devices/${id}/rotate`, {});
    assertEquals(status, 200, JSON.stringify(body));
    return { id, ...body.mqtt };
  }

  /** Takes a device's access away for a while. */
  async disable({ id }: DeviceAccess): Promise<void> {
    assertEquals((await this.#owner("POST", `/v1/devices/${id}/disable`)).status, 200);
  }

  async delete({ id }: DeviceAccess): Promise<void> {
    assertEquals((await this.#owner("DELETE", `/v1/devices/${id}`)).status, 204);
  }

  async remove({ id }: DeviceAccess, room: string): Promise<void> {
    const { status } = await this.#owner("DELETE", `/v1/rooms/${room}/members/${id}`);
    assertEquals(status, 204);
  }

  /** Opens a connection, admitted or not, with the device's credentials unless `more` says other. */
  open(access: DeviceAccess, more: Partial<RawMqttOptions> = {}): Promise<RawMqtt> {
    const { clientId, username, password } = access;
    const { port, tls } = this;
    const secure = tls === undefined ? {} : { tls };
    return RawMqtt.open({ port, clientId, username, password, ...secure, ...more });
  }

  /** Connects a device, as soon as the broker knows its credentials. */
  async connect(access: DeviceAccess, more: Partial<RawMqttOptions> = {}): Promise<RawMqtt> {
    let opened: RawMqtt | undefined;
    await until("the broker admits the device", async () => {
      opened = await this.open(access, more);
      if (!opened.admitted) await opened.drop();
      return opened.admitted;
    });
    return opened!;
  }

  /** Connects a device and subscribes to all that is its own. */
  async listen(access: DeviceAccess, more: Partial<RawMqttOptions> = {}): Promise<RawMqtt> {
    const device = await this.connect(access, more);
    for (const filter of filtersOf(access)) assertEquals(await device.subscribe(filter), 1, filter);
    return device;
  }

  /** A message of the owner. */
  async say(room: string, text: string): Promise<void> {
    await this.api.send(this.owner, room, text);
  }

  /** The messages of a room, as the owner reads them, the oldest first. */
  // deno-lint-ignore no-explicit-any -- tests read fields of what they expect
  async messages(room: string): Promise<any[]> {
    const entries = await this.api.log(this.owner, room);
    return entries.flatMap(({ event }) => event.type === "message.created" ? [event.message] : []);
  }

  /** Sends as the device until it has the receipt: whatever came before on the way is through. */
  async sends(device: RawMqtt, access: DeviceAccess, room: string, text: string): Promise<void> {
    const clientId = crypto.randomUUID();
    const { send, receipts } = access.topics;
    assertEquals(
      await device.publish(topicIn(send!, room), JSON.stringify({ text, clientId })),
      0,
      "the broker takes what a device may send",
    );
    await until(`the receipt of ${text}`, () => {
      assert(!device.closed, "the connection lasts");
      return device.json(receipts!).some((one) => one.clientId === clientId);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.opened.disposeAsync();
  }

  #owner(method: string, path: string, body?: unknown) {
    return this.api.request(method, path, {
      token: this.owner.token,
      ...(body === undefined ? {} : { body }),
    });
  }
}

/** A topic in one room. */
export function topicIn(topic: string, room: string): string {
  return topic.replace("{room}", room);
}

/** The beginning of all topics of a device, with the final slash. */
export function prefixOf({ topics }: DeviceAccess): string {
  return topics.status!.replace(/status$/, "");
}

/** Filters of everything that a device may read. */
function filtersOf({ topics }: DeviceAccess): string[] {
  const { events, head, desired, receipts, responses, commands, errors } = topics;
  return [
    ...[events, head, desired].map((topic) => topicIn(topic!, "+")),
    ...[receipts!, `${responses}/#`, commands!, errors!],
  ];
}
