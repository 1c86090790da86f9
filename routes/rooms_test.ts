import { assert, assertEquals } from "@std/assert";
import { testApp } from "../testing/app.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("a room is made, listed, changed, joined and left", strict, async () => {
  await using app = await testApp();
  const [ada, ben] = await Promise.all(["ada", "ben"].map(app.register));
  const body = { name: "Garden", visibility: "public", topic: "Soil", metadata: { a: 1 } };
  const made = await app.request("POST", "/v1/rooms", { ...ada, body });
  assertEquals(made.status, 201);
  const { room } = made.body;
  assertEquals([room.role, room.head, room.read, room.unread], ["owner", 1, 1, 0]);
  const path = `/v1/rooms/${room.id}`;

  const seen = (await app.request("GET", path, ben)).body.room;
  assertEquals("role" in seen, false);
  const found = (await app.request("GET", "/v1/rooms?visibility=public&q=gard", ben)).body.items;
  assertEquals(found, [seen]);
  assertEquals((await app.request("GET", "/v1/rooms", ben)).body.items, []);
  assertEquals((await app.request("GET", "/v1/rooms?q=gard", ben)).status, 400);

  const joined = await app.request("POST", `${path}/join`, ben);
  assertEquals([joined.status, joined.body.room.role], [200, "member"]);
  assertEquals((await app.request("POST", `${path}/join`, ben)).body.room.head, 2);
  const mine = (await app.request("GET", "/v1/rooms", ben)).body.items;
  assertEquals(mine.map(({ id }: { id: string }) => id), [room.id]);

  const patch = (user: typeof ada, change: unknown) =>
    app.request("PATCH", path, { ...user, body: change });
  assertEquals((await patch(ben, { name: "Mine" })).body.code, "forbidden");
  const changed = (await patch(ada, { topic: "", visibility: "private" })).body.room;
  assertEquals([changed.topic, changed.visibility, changed.name], ["", "private", "Garden"]);
  for (const bad of [{ kind: "direct" }, { visibility: "hidden" }, { name: "" }, { topic: null }]) {
    assertEquals((await patch(ada, bad)).status, 400);
  }

  assertEquals((await app.request("POST", `${path}/leave`, ada)).body.code, "last_owner");
  assertEquals((await app.request("POST", `${path}/leave`, ben)).status, 204);
  assertEquals((await app.request("GET", path, ben)).status, 404);
});

Deno.test("what one may not see is 404 wherever one asks", strict, async () => {
  await using app = await testApp();
  const [ada, eve] = await Promise.all(["ada", "eve"].map(app.register));
  const body = { name: "Private", visibility: "private" };
  const { id } = (await app.request("POST", "/v1/rooms", { ...ada, body })).body.room;
  const message = { clientId: "1", text: "secret" };
  await app.request("POST", `/v1/rooms/${id}/messages`, { ...ada, body: message });
  const attempts: [string, string, unknown?][] = [
    ["GET", ""],
    ["PATCH", "", { name: "x" }],
    ["POST", "/join"],
    ["GET", "/members"],
    ["PUT", `/members/${eve!.user.id}`, {}],
    ["DELETE", `/members/${ada!.user.id}`],
    ["GET", "/messages"],
    ["POST", "/messages", message],
    ["GET", "/messages/2"],
    ["PATCH", "/messages/2", { text: "x" }],
    ["DELETE", "/messages/2"],
    ["GET", "/log"],
    ["PUT", "/read", { seq: 1 }],
  ];
  for (const [method, rest, sent] of attempts) {
    const request = sent === undefined ? eve! : { ...eve, body: sent };
    const places = [id, crypto.randomUUID(), "not-an-id", id.toUpperCase(), "%00", "..%2f"];
    for (const place of places) {
      const answer = await app.request(method, `/v1/rooms/${place}${rest}`, request);
      assertEquals(
        [answer.status, answer.body.code],
        [404, "not_found"],
        `${method} ${place}${rest}`,
      );
      assert(!answer.text.includes("secret"));
    }
  }
  const head = (await app.request("GET", `/v1/rooms/${id}`, ada)).body.room.head;
  assertEquals(head, 2, "Nothing was stored");
});

Deno.test("lists go on after `next` and end with null", strict, async () => {
  await using app = await testApp();
  const ada = await app.register("ada");
  for (let i = 0; i < 5; i++) {
    const body = { name: `Room ${i}`, visibility: "public" };
    await app.request("POST", "/v1/rooms", { ...ada, body });
  }
  for (const list of ["/v1/rooms?limit=2", "/v1/rooms?visibility=public&limit=2"]) {
    const names: string[] = [];
    let next: string | null = "";
    while (next !== null) {
      const path: string = next === "" ? list : `${list}&next=${encodeURIComponent(next)}`;
      const { body } = await app.request("GET", path, ada);
      assert(body.items.length <= 2);
      names.push(...body.items.map(({ name }: { name: string }) => name));
      next = body.next;
    }
    assertEquals(names, ["Room 0", "Room 1", "Room 2", "Room 3", "Room 4"]);
  }
});

Deno.test("a direct room is made once, also by two at once", strict, async () => {
  await using app = await testApp();
  const [ada, ben] = await Promise.all(["ada", "ben"].map(app.register));
  const guest = (await app.request("POST", "/v1/auth/guest")).body.user;
  const open = (from: typeof ada, to: string) => app.request("PUT", `/v1/direct/${to}`, from);
  const answers = await Promise.all(
    Array.from(
      { length: 8 },
      (_, i) => i % 2 === 0 ? open(ada, ben!.user.id) : open(ben, ada!.user.id),
    ),
  );
  assertEquals(new Set(answers.map(({ body }) => body.room.id)).size, 1);
  assertEquals(answers.filter(({ status }) => status === 201).length, 1);
  assertEquals((await open(ada, ben!.user.id)).body.room.name, "ben");
  for (const nobody of [crypto.randomUUID(), "x", guest.id, ada!.user.id]) {
    assertEquals((await open(ada, nobody)).status, 404);
  }
  const { id } = answers[0]!.body.room;
  assertEquals((await app.request("POST", `/v1/rooms/${id}/leave`, ada)).body.code, "direct_room");
  const rename = await app.request("PATCH", `/v1/rooms/${id}`, { ...ada, body: { name: "x" } });
  assertEquals(rename.body.code, "direct_room");
});

Deno.test("the read cursor only rises, and never beyond the head", strict, async () => {
  await using app = await testApp();
  const [ada, ben] = await Promise.all(["ada", "ben"].map(app.register));
  const body = { name: "Room", visibility: "public" };
  const { id } = (await app.request("POST", "/v1/rooms", { ...ada, body })).body.room;
  await app.request("POST", `/v1/rooms/${id}/join`, ben);
  for (let i = 0; i < 3; i++) {
    const message = { clientId: `c${i}`, text: "hello" };
    await app.request("POST", `/v1/rooms/${id}/messages`, { ...ada, body: message });
  }
  const read = (seq: unknown) =>
    app.request("PUT", `/v1/rooms/${id}/read`, { ...ben, body: { seq } });
  assertEquals((await read(3)).body, { read: 3, unread: 2 });
  assertEquals((await read(1)).body, { read: 3, unread: 2 });
  assertEquals((await read(Number.MAX_SAFE_INTEGER)).body, { read: 5, unread: 0 });
  for (const bad of [-1, 1.5, "3", null, 1e300]) assertEquals((await read(bad)).status, 400);
});
