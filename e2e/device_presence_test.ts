/**
 * A device beside people, with the web node and two bridges as processes of their own on one Redis,
 * one Postgres and one Mosquitto: what is seen of it when the bridge that shows it is killed.
 */
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import type { MemberPresence, ServerFrame } from "../lib/protocol.ts";
import { ApiClient } from "../testing/api_client.ts";
import { selfHosted } from "../testing/backend.ts";
import { findMosquitto, startMosquitto } from "../testing/mosquitto.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { MainProcess, startNodeProcess } from "../testing/node_process.ts";
import { testWith } from "../testing/services.ts";
import { TestSocket } from "../testing/test_socket.ts";
import { until } from "../testing/until.ts";

const backendKind = await selfHosted();
const mosquitto = await findMosquitto();
const service = backendKind.service.missing === undefined ? mosquitto : backendKind.service;

/** What is left of it at a kill is longer than a takeover, which may take 5 s. */
const LEASE_SECONDS = 12;
const START_MS = 30_000;
const ACTIVE = "This bridge is active";
const CONNECTED = "The bridge is connected to the MQTT broker";

/** True when a process has logged this. */
function logged(bridge: MainProcess, message: string): boolean {
  return bridge.output.includes(`"message":"${message}"`);
}

/** What was signalled about a member so far. */
function told(frames: ServerFrame[], id: string): MemberPresence["state"][] {
  return frames.flatMap((frame) =>
    frame.type === "signal" && frame.signal.type === "presence"
      ? frame.signal.changes.filter(({ principal }) => principal === id).map(({ state }) => state)
      : []
  );
}

testWith(service, "P9: a bridge that is killed takes no device with it", async () => {
  await using stack = new AsyncDisposableStack();
  const backend = stack.use(await backendKind.start());
  const broker = stack.use(await startMosquitto());
  const env = {
    ...backend.env,
    BEACON_SECONDS: "1",
    LOG_LEVEL: "info",
    PRESENCE_LEASE_SECONDS: `${LEASE_SECONDS}`,
    MQTT_URL: broker.url,
    MQTT_USERNAME: broker.bridge.username,
    MQTT_PASSWORD: broker.bridge.password,
  };
  const node = stack.use(await startNodeProcess({ ...env, ROLES: "web" }));
  const bridges = [1, 2].map(() => stack.use(new MainProcess({ ...env, ROLES: "bridge" })));
  await until("one works", () => bridges.some((one) => logged(one, CONNECTED)), START_MS);
  await until("both run", () => bridges.every((one) => logged(one, "Services")), START_MS);
  const active = bridges.find((one) => logged(one, ACTIVE))!;
  const waiting = bridges.find((one) => one !== active)!;

  const api = new ApiClient(node.url);
  const ada = await api.register("ada");
  const room = await api.room(ada);
  const { token } = ada;
  const made = await api.request("POST", "/v1/devices", { token, body: { name: "Pump" } });
  const { device: { id }, mqtt } = made.body;
  await api.request("PUT", `/v1/rooms/${room}/members/${id}`, { token, body: {} });
  const socket = stack.use(await TestSocket.connect(node.url, { token }));
  await socket.ok({ type: "join", room });

  const will = {
    topic: mqtt.topics.status,
    payload: Buffer.from('{"online":false,"session":7}'),
    qos: 1,
    retain: true,
  } as const;
  const { username, password, clientId } = mqtt;
  let device: TestDevice | undefined;
  await until("the broker knows the device", async () => {
    const options = { url: broker.url, username, password, clientId, will };
    device = await TestDevice.connect(options).catch(() => undefined);
    return device !== undefined;
  });
  stack.use(device!);
  await device!.publish(will.topic, '{"online":true,"session":7}', { retain: true });
  const states = () => told(socket.frames, id);
  await until("the device is online", () => states().at(-1) === "online", START_MS);

  await active.kill("SIGKILL");
  const killedAt = performance.now();
  await until("the other takes over", () => logged(waiting, CONNECTED), START_MS);
  const path = `/v1/rooms/${room}/presence`;
  await until("the leases of the dead have ended, and a round has passed", async () => {
    const { body } = await api.request("GET", path, { token });
    const item = body.items.find(({ principal }: MemberPresence) => principal === id);
    assertEquals(body.state === "known" ? item.state : "online", "online");
    return performance.now() - killedAt > LEASE_SECONDS * 1500;
  }, START_MS);
  assertEquals(states().slice(states().indexOf("online")), ["online"], "nobody saw anything");

  device!.client.end(true);
  await until("the next bridge hears its last will", () => states().at(-1) === "offline", START_MS);
  const { body } = await api.request("GET", `/v1/devices/${id}/status`, { token });
  assertEquals([body.online, body.unstable, body.device.name], [false, false, "Pump"]);
});
