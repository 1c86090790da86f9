import { assertEquals } from "@std/assert";
import type { Member } from "../lib/protocol.ts";
import { testApp, type TestUser } from "../testing/app.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("members are added, given roles and removed by those who may", strict, async () => {
  await using app = await testApp();
  const [ada, ben, cid] = await Promise.all(["ada", "ben", "cid"].map(app.register)) as [
    TestUser,
    TestUser,
    TestUser,
  ];
  const body = { name: "Room", visibility: "private" };
  const { id } = (await app.request("POST", "/v1/rooms", { ...ada, body })).body.room;
  const put = (user: TestUser, who: string, body: unknown = {}) =>
    app.request("PUT", `/v1/rooms/${id}/members/${who}`, { ...user, body });
  const remove = (user: TestUser, who: string) =>
    app.request("DELETE", `/v1/rooms/${id}/members/${who}`, user);

  const added = await put(ada, ben.user.id);
  assertEquals([added.status, added.body.member.role], [201, "member"]);
  assertEquals([(await put(ada, ben.user.id)).status], [200]);
  assertEquals((await put(ben, cid.user.id)).body.code, "forbidden");
  assertEquals((await put(ada, ben.user.id, { role: "admin" })).body.member.role, "admin");
  assertEquals((await put(ben, cid.user.id, { role: "reader" })).status, 201);
  assertEquals((await put(ben, cid.user.id, { role: "owner" })).body.code, "forbidden");
  assertEquals((await put(ben, ada.user.id, { role: "member" })).body.code, "forbidden");
  assertEquals((await put(ada, ada.user.id, { role: "member" })).body.code, "last_owner");
  for (const nobody of [crypto.randomUUID(), "x", "%00"]) {
    assertEquals((await put(ada, nobody)).status, 404);
  }
  for (const bad of [{ role: "king" }, { role: null }, { joinedSeq: 1 }, []]) {
    assertEquals((await put(ada, ben.user.id, bad)).status, 400);
  }

  const { items } = (await app.request("GET", `/v1/rooms/${id}/members`, cid)).body;
  const roles = items.map(({ principal, role }: Member) => `${principal.name} ${role}`);
  assertEquals(roles.sort(), ["ada owner", "ben admin", "cid reader"]);

  assertEquals((await remove(ben, ada.user.id)).body.code, "forbidden");
  assertEquals((await remove(ben, cid.user.id)).status, 204);
  assertEquals((await remove(ben, cid.user.id)).status, 204);
  assertEquals((await app.request("GET", `/v1/rooms/${id}`, cid)).status, 404);
  assertEquals((await remove(ada, ada.user.id)).body.code, "last_owner");
});

Deno.test("a device is added by its owner alone", strict, async () => {
  await using app = await testApp();
  const [ada, eve] = await Promise.all(["ada", "eve"].map(app.register)) as [TestUser, TestUser];
  const made = await app.request("POST", "/v1/devices", { ...ada, body: { name: "Lamp" } });
  const device = made.body.device.id;
  const roomOf = async (user: TestUser) => {
    const body = { name: "Room", visibility: "public" };
    return (await app.request("POST", "/v1/rooms", { ...user, body })).body.room.id;
  };
  const hers = await roomOf(eve);
  const add = (user: TestUser, room: string) =>
    app.request("PUT", `/v1/rooms/${room}/members/${device}`, { ...user, body: {} });
  assertEquals((await add(eve, hers)).status, 404);
  const own = await roomOf(ada);
  assertEquals((await add(ada, own)).body.member.principal, {
    id: device,
    kind: "device",
    name: "Lamp",
  });
});
