import { assertEquals } from "@std/assert";
import { testApp, type TestUser } from "../testing/app.ts";
import { until } from "../testing/until.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("members read who is online, others do not", strict, async () => {
  await using app = await testApp();
  const [ada, ben, cid] = await Promise.all(["ada", "ben", "cid"].map(app.register)) as [
    TestUser,
    TestUser,
    TestUser,
  ];
  const make = async (visibility: string) => {
    const body = { name: "Room", visibility };
    const { id } = (await app.request("POST", "/v1/rooms", { ...ada, body })).body.room;
    await app.request("PUT", `/v1/rooms/${id}/members/${ben.user.id}`, { ...ada, body: {} });
    return `/v1/rooms/${id}/presence`;
  };
  const [open, closed] = [await make("public"), await make("private")];
  app.node.presence.opened(ben.user.id, crypto.randomUUID());
  const online = async () => (await app.request("GET", open, ada)).body;
  const item = (user: TestUser, state: string) => ({ principal: user.user.id, state });
  const items = [item(ada, "offline"), item(ben, "online")];
  items.sort((a, b) => a.principal < b.principal ? -1 : 1);
  await until("ben is held", async () => {
    return (await online()).items.some((one: typeof items[0]) => one.state === "online");
  });
  assertEquals(await online(), { state: "known", items });
  assertEquals((await app.request("GET", open, cid)).body.code, "not_a_member");
  assertEquals((await app.request("GET", closed, cid)).body.code, "not_found");
  assertEquals((await app.request("GET", "/v1/rooms/x/presence", ada)).status, 404);
  assertEquals((await app.request("GET", open)).body.code, "unauthenticated");
});

Deno.test("presence is off in rooms with too many people", strict, async () => {
  await using app = await testApp({ LIMIT_PRESENCE_MEMBERS: "1" });
  const [ada, ben] = [await app.register("ada"), await app.register("ben")];
  const body = { name: "Room", visibility: "public" };
  const { id } = (await app.request("POST", "/v1/rooms", { ...ada, body })).body.room;
  const read = async () => (await app.request("GET", `/v1/rooms/${id}/presence`, ada)).body;
  assertEquals((await read()).state, "known");
  await app.request("POST", `/v1/rooms/${id}/join`, ben);
  assertEquals(await read(), { state: "off", items: [] });
});
