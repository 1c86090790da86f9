import { assertEquals } from "@std/assert";
import { testApp } from "../testing/app.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("a device's status is for its owner and those in a room with it", strict, async () => {
  await using app = await testApp();
  const [ada, ben, eve] = [
    await app.register("ada"),
    await app.register("ben"),
    await app.register("eve"),
  ];
  const { device } = (await app.request("POST", "/v1/devices", { ...ada, body: { name: "Pump" } }))
    .body;
  const path = `/v1/devices/${device.id}/status`;
  const never = {
    device: { id: device.id, kind: "device", name: "Pump" },
    online: false,
    unstable: false,
    session: null,
    since: null,
    lastSeen: null,
    expectedSeconds: null,
    silent: false,
  };
  assertEquals((await app.request("GET", path, ada)).body, never);
  assertEquals((await app.request("GET", path, ben)).body.code, "not_found");
  assertEquals((await app.request("GET", path)).body.code, "unauthenticated");
  const body = { name: "R", visibility: "private" };
  const { id: room } = (await app.request("POST", "/v1/rooms", { ...ada, body })).body.room;
  for (const id of [device.id, ben.user.id]) {
    await app.request("PUT", `/v1/rooms/${room}/members/${id}`, { ...ada, body: {} });
  }
  assertEquals((await app.request("GET", path, ben)).body, never);
  assertEquals((await app.request("GET", path, eve)).body.code, "not_found");
  const gone = `/v1/devices/${ben.user.id}/status`;
  assertEquals((await app.request("GET", gone, ada)).body.code, "not_found", "no device");
});

Deno.test("its owner says how often a device should be heard", strict, async () => {
  await using app = await testApp();
  const [ada, ben] = [await app.register("ada"), await app.register("ben")];
  const { device } = (await app.request("POST", "/v1/devices", { ...ada, body: { name: "Pump" } }))
    .body;
  const expect = (body: unknown, who = ada) =>
    app.request("PUT", `/v1/devices/${device.id}/expectation`, { ...who, body });
  for (const expectedSeconds of [10, 604_800, null]) {
    const answer = await expect({ expectedSeconds });
    assertEquals([answer.status, answer.body.expectedSeconds], [200, expectedSeconds]);
  }
  for (const expectedSeconds of [9, 604_801, 10.5, "60", undefined]) {
    assertEquals((await expect({ expectedSeconds })).body.code, "invalid_request");
  }
  assertEquals((await expect({ expectedSeconds: 60, more: 1 })).body.code, "invalid_request");
  assertEquals((await expect({ expectedSeconds: 60 }, ben)).body.code, "not_found");
  assertEquals((await app.request("DELETE", `/v1/devices/${device.id}`, ada)).status, 204);
  assertEquals((await expect({ expectedSeconds: 60 })).body.code, "not_found");
});
