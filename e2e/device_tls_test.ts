/** Mosquitto with the example listener for TLS, and certificates made as the example makes them. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { tlsListener } from "../mqtt-bridge/mosquitto/tls/listener.ts";
import { selfHosted } from "../testing/backend.ts";
import { ApiClient } from "../testing/api_client.ts";
import { type DeviceAccess, DeviceWorld } from "../testing/device_world.ts";
import {
  findMosquitto,
  freePort,
  startMosquitto,
  type TestMosquitto,
} from "../testing/mosquitto.ts";
import { startNodeProcess } from "../testing/node_process.ts";
import { RawMqtt } from "../testing/raw_mqtt.ts";
import { findService, type Service, testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

const SCRIPT = new URL("../mqtt-bridge/mosquitto/tls/certificates.sh", import.meta.url).pathname;

const openssl = await findService("openssl", async () => {
  const { success } = await new Deno.Command("openssl", { args: ["version"] }).output();
  if (!success) throw new Error("it does not run");
});
const mosquitto = await findMosquitto();
const service: Service = openssl.missing === undefined ? mosquitto : openssl;
const backendKind = await selfHosted();

/** A broker with both listeners, not owned; `ca` is the authority's certificate, also as a file. */
interface SecureBroker extends AsyncDisposable {
  broker: TestMosquitto;
  port: number;
  ca: string;
  caFile: string;
}

async function makeCertificates(dir: string, ...names: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("sh", { args: [SCRIPT, dir, ...names] })
    .output();
  assert(success, new TextDecoder().decode(stderr));
}

async function startSecure(): Promise<SecureBroker> {
  await using stack = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir({ prefix: "confab-tls-" });
  stack.defer(() => Deno.remove(dir, { recursive: true }));
  await makeCertificates(dir, "localhost", "mqtt.example.org");
  const port = freePort();
  const listener = tlsListener({
    listener: `${port} 127.0.0.1`,
    certfile: `${dir}/server.crt`,
    keyfile: `${dir}/server.key`,
  });
  const broker = await startMosquitto("confab/", listener);
  const caFile = `${dir}/ca.crt`;
  const ca = await Deno.readTextFile(caFile);
  const opened = stack.move();
  return { broker, port, ca, caFile, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

testWith(service, "a device with the authority's certificate connects, others do not", async () => {
  await using secure = await startSecure();
  const { port, ca, broker } = secure;
  await using world = await DeviceWorld.start("Mosquitto", broker, {
    MQTT_PUBLIC_URL: `mqtts://localhost:${port}`,
  }, { caCerts: [ca] });
  const room = await world.room();
  const access = await world.device(room);
  assertEquals([access.host, access.port, access.tls], ["localhost", port, true]);
  for (const version of [4, 5] as const) {
    await using device = await world.listen(access, { version });
    await world.sends(device, access, room, `over TLS with MQTT ${version}`);
  }
  await assertRejects(() => world.open(access, { tls: { caCerts: [] } }), Error);
  const { clientId, username, password } = access;
  await using plain = await RawMqtt.open({ port, clientId, username, password });
  assert(plain.closed && !plain.admitted, "plain text is cut off");
  await using wrong = await world.open(access, { password: "wrong" });
  assert(!wrong.admitted, "TLS is no substitute for the password");
  assertEquals((await world.messages(room)).length, 2);
});

testWith(
  service,
  "the certificate holds for its names alone, and is renewed in place",
  async () => {
    const dir = await Deno.makeTempDir({ prefix: "confab-tls-" });
    try {
      await makeCertificates(dir, "mqtt.example.org", "192.0.2.7", "2001:db8::7");
      const files = async () =>
        await Promise.all(
          ["ca.crt", "server.crt", "server.key"].map((name) => Deno.readTextFile(`${dir}/${name}`)),
        );
      const first = await files();
      const verify = async (...args: string[]) => {
        const all = ["verify", "-CAfile", `${dir}/ca.crt`, ...args, `${dir}/server.crt`];
        return (await new Deno.Command("openssl", { args: all }).output()).success;
      };
      assert(await verify("-purpose", "sslserver", "-verify_hostname", "mqtt.example.org"));
      assert(await verify("-verify_ip", "192.0.2.7"));
      assert(await verify("-verify_ip", "2001:db8::7"));
      assert(!await verify("-verify_hostname", "other.example.org"));
      assertEquals((await Deno.stat(`${dir}/server.key`)).mode! & 0o77, 0, "the key is private");
      await makeCertificates(dir, "mqtt.example.org");
      const second = await files();
      assertEquals(second[0], first[0], "devices keep the authority they know");
      assert(second[1] !== first[1] && second[2] !== first[2]);
      assert(await verify("-verify_hostname", "mqtt.example.org"));
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
);

testWith(
  backendKind.service.missing === undefined ? service : backendKind.service,
  "a bridge elsewhere reaches the broker over TLS too",
  async () => {
    await using secure = await startSecure();
    const { port, ca, caFile } = secure;
    await using broker = secure.broker;
    await using backend = await backendKind.start();
    await using node = await startNodeProcess({
      ...backend.env,
      ROLES: "web,bridge",
      MQTT_URL: `mqtts://localhost:${port}`,
      MQTT_USERNAME: broker.bridge.username,
      MQTT_PASSWORD: broker.bridge.password,
      DENO_CERT: caFile,
    });
    const api = new ApiClient(node.url);
    const owner = await api.register("anna");
    const made = await api.request("POST", "/v1/devices", {
      token: owner.token,
      body: { name: "Sensor" },
    });
    const { clientId, username, password, topics }: DeviceAccess = made.body.mqtt;
    const open = () => RawMqtt.open({ port, clientId, username, password, tls: { caCerts: [ca] } });
    await until("the bridge has made the credentials known", async () => {
      await using device = await open();
      return device.admitted;
    }, 30_000);
    await using device = await open();
    await device.subscribe(topics.errors!);
    await device.publish(topics.send!.replace("{room}", owner.id), "to no room");
    await until("the bridge answers", () => device.json(topics.errors!).length > 0);
    assertEquals(device.json(topics.errors!)[0].code, "not_found");
  },
);
