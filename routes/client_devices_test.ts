import { assert, assertEquals, assertRejects } from "@std/assert";
import type { DeviceClaim, TelemetryRule } from "../lib/client/mod.ts";
import { claimDevice, ConfabClientError, RestClient } from "../lib/client/mod.ts";
import { ManualClock, until } from "../lib/client/testing/manual_clock.ts";
import { testApp } from "../testing/app.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const url = "http://confab.test";

/** A real app, and the SDK's REST client of somebody who is signed in. */
async function scene() {
  await using stack = new AsyncDisposableStack();
  const { app, register } = stack.use(await testApp());
  const send = (input: string | URL | Request, init?: RequestInit) =>
    Promise.resolve(app.request(input instanceof URL ? input.href : input, init));
  const person = async (name: string) => {
    const { token } = await register(name);
    const tokens = { accessToken: () => Promise.resolve(token) };
    return new RestClient({ url, tokens, fetch: send });
  };
  const opened = stack.move();
  return { send, person, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

const codeOf = async (promise: Promise<unknown>) =>
  (await assertRejects(() => promise, ConfabClientError)).code;

Deno.test("OwnDevices makes, changes and ends devices", strict, async () => {
  await using all = await scene();
  const [{ ownDevices }, eve] = [await all.person("ada"), await all.person("eve")];
  const { device, mqtt } = await ownDevices.create({ name: "Lamp" });
  const { id } = device;
  assertEquals((await ownDevices.rename(id, "Big lamp")).device.name, "Big lamp");
  const rotated = await ownDevices.rotate(id, 600);
  assert(rotated.device.formerSecretUntil !== undefined && rotated.mqtt.password !== mqtt.password);
  assertEquals((await ownDevices.rotate(id, 60)).mqtt, rotated.mqtt);
  const ended = await ownDevices.endFormerSecret(id);
  assertEquals("formerSecretUntil" in ended.device, false);
  assert((await ownDevices.disable(id)).device.disabledAt !== undefined);
  assertEquals((await ownDevices.enable(id)).device, ended.device);
  assertEquals((await ownDevices.get(id)).device, ended.device);
  assertEquals((await ownDevices.list()).items, [ended.device]);
  assertEquals((await ownDevices.expect(id, 60)).expectedSeconds, 60);
  assertEquals(await codeOf(eve.ownDevices.get(id)), "not_found");
  await ownDevices.delete(id);
  assertEquals(await codeOf(ownDevices.get(id)), "not_found");
});

Deno.test("OwnDevices says what a device sends and takes", strict, async () => {
  await using all = await scene();
  const { ownDevices } = await all.person("ada");
  const { device: { id } } = await ownDevices.create({ name: "Lamp" });
  assertEquals(await ownDevices.schema(id), { schema: null });
  const schema = { type: "object", required: ["lux"] };
  assertEquals(await ownDevices.setSchema(id, schema), { schema });
  const wrong = () => ownDevices.setSchema(id, { properties: { lux: { pattern: "." } } });
  const { code, errors } = await assertRejects(wrong, ConfabClientError);
  assertEquals([code, errors], ["invalid_request", [
    { path: "schema.properties.lux.pattern", message: "is not supported" },
  ]]);
  assertEquals(await ownDevices.schema(id), { schema });
  assertEquals(await ownDevices.setSchema(id, null), { schema: null });

  assertEquals(await ownDevices.commands(id), { commands: null });
  const commands = [{ name: "blink", timeoutSeconds: 5, minRole: "admin" as const }];
  assertEquals(await ownDevices.setCommands(id, commands), { commands });
  assertEquals(await ownDevices.commands(id), { commands });
});

Deno.test("RestClient sets the rules of a device in a room", strict, async () => {
  await using all = await scene();
  const rest = await all.person("ada");
  const { device: { id } } = await rest.ownDevices.create({ name: "Lamp" });
  const { room } = await rest.createRoom({ name: "R", visibility: "private" });
  await rest.putMember(room.id, id, "member");
  const rules: TelemetryRule[] = [
    { id: "hot", metric: "temp", kind: "above", threshold: 30, hysteresis: 2, unit: "°C" },
    { id: "gone", metric: "temp", kind: "silence", seconds: 300 },
  ];
  assertEquals(await rest.setTelemetryRules(room.id, id, rules), { rules });
  assertEquals(await rest.telemetryRules(room.id, id), { rules });
});

Deno.test("claimDevice() waits until a person has entered the code", strict, async () => {
  await using all = await scene();
  const ada = await all.person("ada");
  const { room } = await ada.createRoom({ name: "R", visibility: "private" });
  const clock = new ManualClock();
  let claim: DeviceClaim | undefined;
  let asked = 0;
  const send: typeof fetch = (input, init) => {
    if (String(input).endsWith("/token") && ++asked === 2) throw new TypeError("Away");
    return all.send(input, init);
  };
  const show = (shown: DeviceClaim) => claim = shown;
  const claimed = claimDevice({ url, name: "Valve", show, clock, fetch: send });
  await until(() => clock.delays.length === 1, "it shows the code and waits");
  assertEquals(await codeOf(ada.ownDevices.approveClaim({ userCode: "BBBB-BBBB" })), "not_found");
  for (const polls of [1, 2]) {
    clock.advance(5000);
    await until(() => asked === polls && clock.delays.length === polls + 1, "not yet");
  }
  const { userCode } = claim!;
  const { device } = await ada.ownDevices.approveClaim({ userCode, name: "V1", rooms: [room.id] });
  clock.advance(5000);
  const made = await claimed;
  assertEquals([made.device, made.mqtt.clientId], [device, device.id]);
  assertEquals((await ada.roomDevices(room.id)).items.map((each) => each.device.name), ["V1"]);
});

Deno.test("claimDevice() ends with the code, and with its signal", strict, async () => {
  await using all = await scene();
  const clock = new ManualClock();
  const stop = new AbortController();
  const away: typeof fetch = (input, init) =>
    String(input).endsWith("/token")
      ? Promise.reject(new TypeError("Away"))
      : all.send(input, init);
  const options = { url, show: () => {}, clock };
  const late = claimDevice({ ...options, fetch: away });
  const stopped = claimDevice({ ...options, fetch: all.send, signal: stop.signal });
  await until(() => clock.delays.length === 2, "both wait");
  const reason = assertRejects(() => stopped, Error, "Enough");
  stop.abort(new Error("Enough"));
  await reason;
  const expired = assertRejects(() => late, ConfabClientError, "in time");
  let over = false;
  void expired.then(() => over = true);
  await until(() => {
    clock.advance(5000);
    return over;
  });
  assertEquals((await expired).code, "claim_expired");
});
