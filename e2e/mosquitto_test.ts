/**
 * The self-hosted shape with a real Mosquitto as it is shipped: a web node, a bridge of its own,
 * Postgres and Redis; two devices that are nothing but Mosquitto's command line tools, one that
 * listens and one that publishes; two people; and a kill -9 of both processes in between.
 */
import { assertEquals } from "@std/assert";
import { ApiClient } from "../testing/api_client.ts";
import { selfHosted } from "../testing/backend.ts";
import { findMosquitto, freePort, startMosquitto } from "../testing/mosquitto.ts";
import { type NodeProcess, startNodeProcess } from "../testing/node_process.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

const backendKind = await selfHosted();
const mosquitto = await findMosquitto();
const service = backendKind.service.missing === undefined ? mosquitto : backendKind.service;

interface Access {
  host: string;
  port: number;
  clientId: string;
  username: string;
  password: string;
  topics: Record<string, string>;
}

function login({ host, port, clientId, username, password }: Access): string[] {
  return ["-h", host, "-p", `${port}`, "-i", clientId, "-u", username, "-P", password, "-q", "1"];
}

/** `mosquitto_sub` on all that a device hears of its rooms. */
class Listener implements AsyncDisposable {
  heard = "";
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<void>;

  constructor(access: Access, room: string) {
    const topic = (name: string) => access.topics[name]!.replace("{room}", room);
    this.#child = new Deno.Command("mosquitto_sub", {
      args: [...login(access), "-v", "-t", topic("events"), "-t", topic("head")],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#read = this.#collect();
  }

  async hears(text: string): Promise<void> {
    await until(`the device hears ${text}`, () => this.heard.includes(text), 30_000);
  }

  async [Symbol.asyncDispose]() {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await this.#read;
  }

  async #collect(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stdout) this.heard += decoder.decode(chunk);
  }
}

async function publish(access: Access, room: string, payload: string): Promise<void> {
  const topic = access.topics.send!.replace("{room}", room);
  const { success, stderr } = await new Deno.Command("mosquitto_pub", {
    args: [...login(access), "-t", topic, "-m", payload],
    stdin: "null",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

testWith(service, "self-hosted: people and Mosquitto's tools talk through a kill -9", async () => {
  await using backend = await backendKind.start();
  await using broker = await startMosquitto();
  const env = {
    ...backend.env,
    MQTT_URL: broker.url,
    MQTT_USERNAME: broker.bridge.username,
    MQTT_PASSWORD: broker.bridge.password,
  };
  const port = `${freePort()}`;
  const start = async (): Promise<[NodeProcess, NodeProcess]> =>
    await Promise.all([
      startNodeProcess({ ...env, ROLES: "web", PORT: port }),
      startNodeProcess({ ...env, ROLES: "web,bridge" }),
    ]);
  await using nodes = new AsyncDisposableStack();
  const [web, bridge] = await start();
  nodes.use(web);
  nodes.use(bridge);

  const api = new ApiClient(web.url);
  const [ann, bob] = [await api.register("ann"), await api.register("bob")];
  const room = await api.room(ann, bob);
  const device = async (name: string): Promise<Access> => {
    const { body } = await api.request("POST", "/v1/devices", { token: ann.token, body: { name } });
    const path = `/v1/rooms/${room}/members/${body.device.id}`;
    assertEquals((await api.request("PUT", path, { token: ann.token, body: {} })).status, 201);
    assertEquals(body.mqtt.clientIdSuffix, false);
    return body.mqtt;
  };
  const [display, sensor] = [await device("Display"), await device("Sensor")];
  // Mosquitto learns of a device from the bridge, within a moment.
  await until(
    "the credentials stand",
    () => publish(sensor, room, "Ready").then(() => true, () => false),
  );
  await using listener = new Listener(display, room);
  await listener.hears("/head {");

  const say = (token: string, clientId: string, text: string) =>
    api.request("POST", `/v1/rooms/${room}/messages`, { token, body: { clientId, text } });
  const stored = await say(ann.token, "a1", "Is it warm?");
  await publish(sensor, room, '{"text":"21.4 degrees","clientId":"s1"}');
  await listener.hears("21.4 degrees"); // the broker's own answer promises no order
  await say(bob.token, "b1", "Warm enough");
  for (const text of ["Is it warm?", "Warm enough"]) await listener.hears(text);
  const one = `/v1/rooms/${room}/messages/${stored.body.message.seq}`;
  await api.request("PATCH", one, { token: ann.token, body: { text: "Is it warm yet?" } });
  await listener.hears("Is it warm yet?");
  await api.request("DELETE", one, { token: ann.token });
  await listener.hears("message.deleted");

  await Promise.all([web.main.kill("SIGKILL"), bridge.main.kill("SIGKILL")]);
  await publish(sensor, room, '{"text":"22.0 degrees","clientId":"s2"}');
  for (const node of await start()) nodes.use(node);
  await listener.hears("22.0 degrees");
  assertEquals((await say(bob.token, "b1", "Warm enough")).body.duplicate, true);
  const { body } = await api.request("GET", `/v1/rooms/${room}/messages`, { token: bob.token });
  assertEquals(
    body.messages.map(({ text, deletedAt }: { text?: string; deletedAt?: string }) =>
      deletedAt === undefined ? text : "deleted"
    ),
    ["Ready", "deleted", "21.4 degrees", "Warm enough", "22.0 degrees"],
  );
});
