import { assertEquals, assertMatch } from "@std/assert";
import { checkDeviceSecret } from "../lib/auth/devices.ts";
import { testApp } from "../testing/app.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test(
  "a device without credentials gets them by a code that a person enters",
  strict,
  async () => {
    await using app = await testApp({ PUBLIC_URL: "https://chat.example.org" });
    const ada = await app.register("ada");
    const room = (await app.request("POST", "/v1/rooms", {
      ...ada,
      body: { name: "Plant", visibility: "private" },
    })).body.room.id;
    const started = await app.request("POST", "/v1/device-claims", { body: { name: "Pump" } });
    assertEquals(started.status, 201);
    const { deviceCode, userCode, verificationUri, verificationUriComplete } = started.body;
    assertMatch(verificationUri, /^https:\/\/chat\.example\.org\//);
    assertEquals(verificationUriComplete, `${verificationUri}=${userCode}`);
    const fetchIt = () => app.request("POST", "/v1/device-claims/token", { body: { deviceCode } });
    const pending = await fetchIt();
    assertEquals([pending.status, pending.body.code], [409, "claim_pending"]);
    assertEquals(pending.headers.get("retry-after"), "5");
    const approve = (body: unknown, token: string | undefined) =>
      app.request("POST", "/v1/device-claims/approve", { token, body });
    assertEquals((await approve({ userCode }, undefined)).status, 401);
    assertEquals((await approve({ userCode: "BBBB-BBBB" }, ada.token)).status, 404);
    const approved = await approve({ userCode, rooms: [room] }, ada.token);
    assertEquals([approved.status, approved.body.device.name], [201, "Pump"]);
    assertEquals((await approve({ userCode, rooms: [room] }, ada.token)).status, 200);
    const { status, body: { device, mqtt } } = await fetchIt();
    assertEquals([status, device], [200, approved.body.device]);
    assertEquals([mqtt.username, mqtt.clientId], [device.id, device.id]);
    const { deviceKey } = app.services.keys;
    assertEquals(await checkDeviceSecret(deviceKey, device.id, 1, mqtt.password), true);
    const spent = await fetchIt();
    assertEquals([spent.status, spent.body.code], [410, "claim_expired"]);
    const members = (await app.request("GET", `/v1/rooms/${room}/members`, ada)).body.items;
    assertEquals(members.length, 2);
  },
);

Deno.test("claims are refused in plain words", strict, async () => {
  await using app = await testApp({}, { mqttEndpoint: () => undefined });
  const nobody = await app.request("POST", "/v1/device-claims");
  assertEquals([nobody.status, nobody.body.code], [503, "unavailable"]);
  await using other = await testApp();
  const ada = await other.register("ada");
  const bad: [string, unknown][] = [
    ["/v1/device-claims", { name: "" }],
    ["/v1/device-claims", { name: "x", room: "y" }],
    ["/v1/device-claims/approve", {}],
    ["/v1/device-claims/approve", { userCode: "WDJB-MJHT", rooms: ["x"] }],
    ["/v1/device-claims/approve", { userCode: "WDJB-MJHT", rooms: "x" }],
    ["/v1/device-claims/token", {}],
    ["/v1/device-claims/token", { deviceCode: 1 }],
  ];
  for (const [path, body] of bad) {
    assertEquals((await other.request("POST", path, { ...ada, body })).status, 400, path);
  }
  const token = (await other.request("POST", "/v1/auth/guest")).body.accessToken;
  const body = { userCode: "WDJB-MJHT" };
  const guest = await other.request("POST", "/v1/device-claims/approve", { token, body });
  assertEquals([guest.status, guest.body.code], [403, "forbidden"]);
});
