import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { checkDeviceSecret } from "../lib/auth/devices.ts";
import { Topics } from "../mqtt-bridge/topics.ts";
import { testApp } from "../testing/app.ts";
import { deviceTopics } from "./device_topics.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("a device gets credentials once, that are worth something", strict, async () => {
  await using app = await testApp({ MQTT_PREFIX: "site/confab/" });
  const ada = await app.register("ada");
  const made = await app.request("POST", "/v1/devices", { ...ada, body: { name: "Lamp" } });
  assertEquals(made.status, 201);
  const { device, mqtt } = made.body;
  assertEquals([mqtt.host, mqtt.port, mqtt.tls], ["mqtt.example.org", 8883, true]);
  assertEquals([mqtt.clientId, mqtt.username], [device.id, device.id]);
  assertEquals(mqtt.topics.send, `site/confab/d/${device.id}/rooms/{room}/send`);
  assertMatch(mqtt.password, /^[A-Za-z0-9_-]{43}$/);
  const { deviceKey } = app.services.keys;
  assertEquals(await checkDeviceSecret(deviceKey, device.id, 1, mqtt.password), true);

  const path = `/v1/devices/${device.id}`;
  const rotated = await app.request("POST", `${path}/rotate`, ada);
  assertEquals(rotated.status, 200);
  assertNotEquals(rotated.body.mqtt.password, mqtt.password);
  assertEquals(await checkDeviceSecret(deviceKey, device.id, 2, rotated.body.mqtt.password), true);
  assertEquals(rotated.body.mqtt.username, `${device.id}.2`);
  assertEquals(rotated.body.mqtt.clientId, device.id);
  for (const read of [path, "/v1/devices"]) {
    const { text } = await app.request("GET", read, ada);
    assertEquals(text.includes("password"), false);
  }
});

Deno.test("devices are their owner's: everybody else gets 404", strict, async () => {
  await using app = await testApp();
  const [ada, eve] = await Promise.all(["ada", "eve"].map(app.register));
  const make = (body: unknown) => app.request("POST", "/v1/devices", { ...ada, body });
  const { device } = (await make({ name: "Lamp" })).body;
  await make({ name: "Door" });
  const path = `/v1/devices/${device.id}`;
  const rename = { body: { name: "Big lamp" } };
  for (const [method, at] of [["GET", path], ["DELETE", path], ["POST", `${path}/rotate`]]) {
    assertEquals((await app.request(method!, at!, eve)).status, 404);
  }
  assertEquals((await app.request("PATCH", path, { ...eve, ...rename })).status, 404);
  assertEquals((await app.request("GET", "/v1/devices", eve)).body.items, []);

  assertEquals(
    (await app.request("PATCH", path, { ...ada, ...rename })).body.device.name,
    "Big lamp",
  );
  const first = (await app.request("GET", "/v1/devices?limit=1", ada)).body;
  assertEquals(first.items.length, 1);
  const second = (await app.request("GET", `/v1/devices?limit=1&next=${first.next}`, ada)).body;
  assertEquals([second.items[0].name, second.next], ["Door", null]);
  assertEquals((await app.request("DELETE", path, ada)).status, 204);
  assertEquals((await app.request("GET", path, ada)).status, 404);
  assertEquals((await app.request("GET", "/v1/devices/x", ada)).status, 404);
  for (const bad of [{}, { name: "" }, { name: "x", kind: "plant" }, { name: 1 }]) {
    assertEquals((await make(bad)).status, 400);
  }
});

Deno.test("guests make no devices, and nobody does without a broker", strict, async () => {
  await using app = await testApp({}, { mqttEndpoint: () => undefined });
  const ada = await app.register("ada");
  const body = { name: "Lamp" };
  const answer = await app.request("POST", "/v1/devices", { ...ada, body });
  assertEquals([answer.status, answer.body.code], [503, "unavailable"]);
  assertEquals((await app.request("GET", "/v1/devices", ada)).body.items, []);
  await using other = await testApp();
  const token = (await other.request("POST", "/v1/auth/guest")).body.accessToken;
  assertEquals((await other.request("POST", "/v1/devices", { token, body })).status, 403);
});

Deno.test("deviceTopics() are those that the bridge knows", () => {
  const device = "0197a3c2-9f10-7c44-8a6b-5d0f2e9b7c11";
  const topics = new Topics("confab/");
  assertEquals(deviceTopics("confab/", device), {
    send: topics.send(device, "{room}"),
    events: topics.events(device, "{room}"),
    head: topics.head(device, "{room}"),
    telemetry: topics.telemetry(device, "{room}"),
    reported: topics.reported(device, "{room}"),
    desired: topics.desired(device, "{room}"),
    commands: topics.commands(device),
    replies: topics.replies(device),
    status: topics.status(device),
    receipts: topics.receipts(device),
    errors: topics.errors(device),
    requests: topics.requests(device),
    responses: topics.responses(device),
  });
});

Deno.test("credentials of a person name the topics that work for them", strict, async () => {
  await using app = await testApp();
  const ada = await app.register("ada");
  const body = { name: "Terminal", kind: "person" };
  const { mqtt } = (await app.request("POST", "/v1/devices", { ...ada, body })).body;
  assertEquals(
    Object.keys(mqtt.topics).sort(),
    ["errors", "events", "head", "receipts", "requests", "responses", "send", "status"],
  );
});

Deno.test("a rotation with grace keeps two secrets, and can be repeated", strict, async () => {
  await using app = await testApp();
  const ada = await app.register("ada");
  const { device } = (await app.request("POST", "/v1/devices", { ...ada, body: { name: "Lamp" } }))
    .body;
  const path = `/v1/devices/${device.id}`;
  const rotate = (body?: unknown) => app.request("POST", `${path}/rotate`, { ...ada, body });
  const first = (await rotate({ graceSeconds: 600 })).body;
  const shownUntil = Date.parse(first.device.formerSecretUntil);
  assert(shownUntil > Date.now() + 300_000 && shownUntil < Date.now() + 900_000);
  assertEquals(first.mqtt.username, `${device.id}.2`);
  const again = (await rotate({ graceSeconds: 3600 })).body;
  assertEquals(again.mqtt, first.mqtt, "the answer may have been lost");
  assert(Date.parse(again.device.formerSecretUntil) > shownUntil);
  assertEquals((await app.request("GET", path, ada)).body.device, again.device);
  const end = () => app.request("DELETE", `${path}/former-secret`, ada);
  for (const ended of [await end(), await end()]) {
    assertEquals([ended.status, ended.body], [200, { device }], "the present one stays");
  }
  const eve = await app.register("eve");
  assertEquals((await app.request("DELETE", `${path}/former-secret`, eve)).status, 404);
  assertEquals((await rotate({ graceSeconds: 60 })).body.mqtt.username, `${device.id}.3`);
  const last = (await rotate({ graceSeconds: 0 })).body;
  assertEquals(last.mqtt.username, `${device.id}.4`);
  assertEquals("formerSecretUntil" in last.device, false);
  for (const graceSeconds of [-1, 604_801, 1.5, "60", null]) {
    assertEquals((await rotate({ graceSeconds })).status, 400);
  }
  assertEquals((await rotate({ grace: 1 })).status, 400);
});

Deno.test("disabling a device shows, and enabling it takes that back", strict, async () => {
  await using app = await testApp();
  const [ada, eve] = [await app.register("ada"), await app.register("eve")];
  const { device } = (await app.request("POST", "/v1/devices", { ...ada, body: { name: "Lamp" } }))
    .body;
  const path = `/v1/devices/${device.id}`;
  const disabled = await app.request("POST", `${path}/disable`, ada);
  assertEquals(disabled.status, 200);
  assert(Date.parse(disabled.body.device.disabledAt) <= Date.now() + 60_000);
  assertEquals((await app.request("POST", `${path}/disable`, ada)).body, disabled.body);
  assertEquals((await app.request("GET", "/v1/devices", ada)).body.items, [disabled.body.device]);
  const rename = { ...ada, body: { name: "Old lamp" } };
  assertEquals((await app.request("PATCH", path, rename)).body.device.name, "Old lamp");
  for (const action of ["disable", "enable"]) {
    assertEquals((await app.request("POST", `${path}/${action}`, eve)).status, 404);
  }
  for (let i = 0; i < 2; i++) {
    const { body } = await app.request("POST", `${path}/enable`, ada);
    assertEquals(body.device, { ...device, name: "Old lamp" });
  }
  await app.request("POST", `${path}/disable`, ada);
  assertEquals((await app.request("DELETE", path, ada)).status, 204);
  for (const action of ["disable", "enable", "rotate"]) {
    assertEquals((await app.request("POST", `${path}/${action}`, ada)).status, 404);
  }
});
