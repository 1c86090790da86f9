import { assert, assertEquals } from "@std/assert";
import { type TestApp, testApp, type TestUser } from "../testing/app.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

async function makeRoom(app: TestApp, { token }: TestUser, visibility: string, others: string[]) {
  const body = { name: "A room", visibility };
  const { id } = (await app.request("POST", "/v1/rooms", { token, body })).body.room;
  for (const other of others) {
    await app.request("PUT", `/v1/rooms/${id}/members/${other}`, { token, body: {} });
  }
  return id as string;
}

Deno.test("one sees and changes oneself", strict, async () => {
  await using app = await testApp();
  const { token, user } = await app.register("ada");
  assertEquals((await app.request("GET", "/v1/me", { token })).body.user, user);
  const body = { displayName: "Ada L.", metadata: { colour: "green" } };
  const changed = await app.request("PATCH", "/v1/me", { token, body });
  assertEquals(changed.body.user, { ...user, name: "Ada L.", metadata: { colour: "green" } });
  assertEquals((await app.request("PATCH", "/v1/me", { token, body: {} })).status, 200);
  for (
    const bad of [{ role: "admin" }, { displayName: "" }, { metadata: [] }, {
      metadata: { a: "x".repeat(5000) },
    }]
  ) {
    assertEquals((await app.request("PATCH", "/v1/me", { token, body: bad })).status, 400);
  }
});

Deno.test(
  "users are found by name, page by page, without what is theirs alone",
  strict,
  async () => {
    await using app = await testApp();
    const { token } = await app.register("zoe");
    for (const name of ["mia-1", "mia-2", "mia-3"]) await app.register(name);
    const find = (query: string) => app.request("GET", `/v1/users?${query}`, { token });
    const first = await find("q=MIA&limit=2");
    assertEquals(first.body.items.map(({ name }: { name: string }) => name), ["mia-1", "mia-2"]);
    const second = await find(`q=MIA&limit=2&next=${first.body.next}`);
    assertEquals(second.body.items.map(({ name }: { name: string }) => name), ["mia-3"]);
    assertEquals(second.body.next, null);
    assert(!("role" in first.body.items[0]));
    assertEquals((await find("q=%25")).body.items, []);
    for (
      const bad of ["", "q=", "q=a&q=b", "q=%00", "q=a&limit=0", "q=a&limit=201", "q=a&limit=x"]
    ) {
      assertEquals((await find(bad)).status, 400, bad);
    }
    for (const cursor of ["x", "bnVsbA", "WyJhIiwiYiJd", "e30", "%F0%9F%98%80"]) {
      assertEquals((await find(`q=a&next=${cursor}`)).body.code, "invalid_cursor", cursor);
    }
    const { id } = first.body.items[0];
    assertEquals((await app.request("GET", `/v1/users/${id}`, { token })).body.user.name, "mia-1");
    for (const lost of [crypto.randomUUID(), "me", "%00", id.toUpperCase()]) {
      assertEquals((await app.request("GET", `/v1/users/${lost}`, { token })).status, 404);
    }
  },
);

Deno.test("deleting oneself leaves rooms with an owner and ends devices", strict, async () => {
  await using app = await testApp();
  const [ada, ben, cid] = await Promise.all(["ada", "ben", "cid"].map(app.register));
  const shared = await makeRoom(app, ada!, "private", [ben!.user.id, cid!.user.id]);
  const alone = await makeRoom(app, ada!, "private", []);
  await app.request("PUT", `/v1/rooms/${shared}/members/${cid!.user.id}`, {
    ...ada,
    body: { role: "admin" },
  });
  await app.request("PUT", `/v1/direct/${ben!.user.id}`, ada);
  const { device } = (await app.request("POST", "/v1/devices", { ...ada, body: { name: "Lamp" } }))
    .body;
  await app.request("PUT", `/v1/rooms/${shared}/members/${device.id}`, { ...ada, body: {} });

  assertEquals((await app.request("DELETE", "/v1/me", ada)).status, 204);
  assertEquals((await app.request("GET", "/v1/me", ada)).body.code, "session_revoked");
  const members = (await app.request("GET", `/v1/rooms/${shared}/members`, ben)).body.items;
  const roles = members.map((
    { principal, role }: { principal: { name: string }; role: string },
  ) => [principal.name, role]);
  assertEquals(roles.sort(), [["ben", "member"], ["cid", "owner"]]);
  const log = (await app.request("GET", `/v1/rooms/${shared}/log`, ben)).body.entries;
  assertEquals(
    log.map(({ event }: { event: { type: string } }) => event.type).slice(-3),
    ["member.left", "member.role", "member.left"],
  );
  assertEquals((await app.request("GET", `/v1/rooms/${alone}`, ben)).status, 404);
  const direct = (await app.request("GET", "/v1/rooms", ben)).body.items
    .find(({ kind }: { kind: string }) => kind === "direct");
  assertEquals(direct.peer.name, "Deleted account");
  assertEquals((await app.request("GET", `/v1/users/${ada!.user.id}`, ben)).status, 404);
  const body = { username: ada!.user.username, password: "correct horse battery" };
  assertEquals((await app.request("POST", "/v1/auth/login", { body })).status, 401);
});

Deno.test("no device is made for an account that is being deleted", strict, async () => {
  await using app = await testApp();
  for (const name of ["ada", "ben", "cid", "dan", "eve", "fay"]) {
    const one = await app.register(name);
    const room = await makeRoom(app, one, "private", []);
    const codes = await Promise.all([1, 2, 3].map(async () => {
      const { body } = await app.request("POST", "/v1/device-claims", { body: {} });
      return body.userCode as string;
    }));
    const devices = codes.map((userCode) =>
      app.request("POST", "/v1/device-claims/approve", {
        ...one,
        body: { userCode, rooms: [room] },
      })
    );
    const create = () => app.request("POST", "/v1/devices", { ...one, body: { name: "Lamp" } });
    const [end] = await Promise.all([
      app.request("DELETE", "/v1/me", one),
      ...devices,
      ...Array.from({ length: 10 }, create),
    ]);
    assertEquals(end.status, 204);
  }
  const left = await app.services.db.query(
    `select d.id from devices d join principals o on o.id = d.owner_id
     where o.disabled_at is not null and d.deleted_at is null`,
  );
  assertEquals(left, []);
});

Deno.test("an account is deleted twice at once, with its devices", strict, async () => {
  await using app = await testApp();
  const ada = await app.register("ada");
  const room = await makeRoom(app, ada, "private", []);
  for (let i = 0; i < 5; i++) {
    const { body } = await app.request("POST", "/v1/devices", { ...ada, body: { name: "Lamp" } });
    const path = `/v1/rooms/${room}/members/${body.device.id}`;
    await app.request("PUT", path, { ...ada, body: {} });
  }
  const remove = async () => (await app.request("DELETE", "/v1/me", ada)).status;
  assertEquals(await Promise.all([remove(), remove(), remove()]), [204, 204, 204]);
});
