import { assert, assertEquals } from "@std/assert";
import type { LogEntry, Message } from "../lib/protocol.ts";
import { type TestApp, testApp, type TestUser } from "../testing/app.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const FILE = { url: "https://files.example/a.jpg", name: "a.jpg", size: 1 };

interface Scene {
  ada: TestUser;
  ben: TestUser;
  /** The path of a public room that ada owns and ben has joined: its head is 2. */
  room: string;
}

async function scene(app: TestApp): Promise<Scene> {
  const [ada, ben] = await Promise.all(["ada", "ben"].map(app.register)) as [TestUser, TestUser];
  const body = { name: "Room", visibility: "public" };
  const { id } = (await app.request("POST", "/v1/rooms", { ...ada, body })).body.room;
  await app.request("POST", `/v1/rooms/${id}/join`, ben);
  return { ada, ben, room: `/v1/rooms/${id}` };
}

Deno.test("a message is stored once, however often it is sent", strict, async () => {
  await using app = await testApp();
  const { ada, ben, room } = await scene(app);
  const send = (user: TestUser, body: unknown) =>
    app.request("POST", `${room}/messages`, { ...user, body });
  const body = { clientId: "c1", text: "Hello", metadata: { mood: "good" } };
  const first = await send(ada, body);
  assertEquals([first.status, first.body.duplicate, first.body.message.seq], [201, false, 3]);
  const stored = (await app.request("GET", `${room}/messages/3`, ada)).body.message;
  assertEquals(first.body.message, stored, "The answer is what a read gives");
  const again = await send(ada, { metadata: { mood: "good" }, text: "Hello", clientId: "c1" });
  assertEquals([again.status, again.body.duplicate], [200, true]);
  assertEquals(again.body.message, stored);
  const other = await send(ada, { ...body, text: "Other" });
  assertEquals([other.status, other.body.code], [409, "client_id_reused"]);
  assertEquals((await send(ben, body)).status, 201, "A clientId is its sender's own");
  const many = await Promise.all(
    Array.from({ length: 10 }, () => send(ada, { clientId: "c2", data: { a: [1, null] } })),
  );
  assertEquals(new Set(many.map(({ body }) => body.message.seq)).size, 1);
  assertEquals(many.filter(({ status }) => status === 201).length, 1);
  const seen = (await app.request("GET", `${room}/messages/3`, ben)).body.message;
  assertEquals("clientId" in seen, false);
});

Deno.test("a send that does not fit is refused and stores nothing", strict, async () => {
  await using app = await testApp();
  const { ada, room } = await scene(app);
  const deep = JSON.parse("[".repeat(33) + "]".repeat(33));
  const bodies: [number, string, unknown][] = [
    [400, "invalid_request", {}],
    [400, "invalid_request", { text: "x" }],
    [400, "invalid_request", { clientId: "c" }],
    [400, "invalid_request", { clientId: "c", text: "" }],
    [400, "invalid_request", { clientId: "c", text: "\u0000" }],
    [400, "invalid_request", { clientId: "c", text: "\udead" }],
    [400, "invalid_request", { clientId: "c", text: "ä".repeat(8193) }],
    [400, "invalid_request", { clientId: "c", data: null }],
    [400, "invalid_request", { clientId: "c", data: { a: "\u0000" } }],
    [400, "invalid_request", { clientId: "c", data: { "\ud800": 1 } }],
    [400, "invalid_request", { clientId: "c", data: "x".repeat(33_000) }],
    [400, "invalid_request", { clientId: "c", data: deep }],
    [400, "invalid_request", { clientId: "c", text: "x", metadata: [1] }],
    [400, "invalid_request", { clientId: "c", text: "x", metadata: { a: "x".repeat(4096) } }],
    [400, "invalid_request", { clientId: "has space", text: "x" }],
    [400, "invalid_request", { clientId: "c".repeat(65), text: "x" }],
    [400, "invalid_request", { clientId: 1, text: "x" }],
    [400, "invalid_request", { clientId: "c", text: "x", sender: "somebody" }],
    [400, "invalid_request", { clientId: "c", text: "x", replyTo: 0 }],
    [400, "invalid_reply", { clientId: "c", text: "x", replyTo: 1 }],
    [400, "invalid_reply", { clientId: "c", text: "x", replyTo: 99 }],
    [400, "invalid_request", { clientId: "c", attachments: [] }],
    [400, "invalid_request", { clientId: "c", attachments: [{ name: "a.jpg" }] }],
    [400, "invalid_request", { clientId: "c", text: "x", attachments: {} }],
    [400, "invalid_request", { clientId: "c", text: "x", attachments: [{ url: "file:///a" }] }],
    [400, "invalid_request", { clientId: "c", text: "x", attachments: Array(11).fill(FILE) }],
  ];
  for (const [status, code, body] of bodies) {
    const answer = await app.request("POST", `${room}/messages`, { ...ada, body });
    const what = JSON.stringify(body).slice(0, 100);
    assertEquals([answer.status, answer.body.code], [status, code], what);
  }
  const raw = `{"clientId":"c","data":${"[".repeat(30_000)}${"]".repeat(30_000)}}`;
  const headers = { "content-type": "application/json" };
  const deepest = await app.request("POST", `${room}/messages`, { ...ada, raw, headers });
  assertEquals(deepest.body.code, "invalid_request");
  assertEquals((await app.request("GET", room, ada)).body.room.head, 2);
  const limit = { clientId: "c", text: "ä".repeat(8192), data: "x".repeat(32_766) };
  assertEquals(
    (await app.request("POST", `${room}/messages`, { ...ada, body: limit })).status,
    201,
  );
});

Deno.test("a send may bring attachments, and is told which one is wrong", strict, async () => {
  await using app = await testApp();
  const { ada, ben, room } = await scene(app);
  const send = (attachments: unknown) => {
    const body = { clientId: "c", attachments };
    return app.request("POST", `${room}/messages`, { ...ada, body });
  };
  const refused = await send([FILE, { url: "javascript:alert(1)" }]);
  assertEquals([refused.status, refused.body.code], [400, "invalid_request"]);
  assertEquals(refused.body.errors.map(({ path }: { path: string }) => path), [
    "attachments.1.url",
  ]);
  const { status, body } = await send([FILE]);
  assertEquals([status, body.message.attachments, "text" in body.message], [201, [FILE], false]);
  const { body: read } = await app.request("GET", `${room}/messages/3`, ben);
  assertEquals(read.message.attachments, [FILE]);
  const edit = { ...ada, body: { text: "x", attachments: [FILE] } };
  const edited = await app.request("PATCH", `${room}/messages/3`, edit);
  assertEquals(edited.body.code, "invalid_request", "an edit leaves them");
  const removed = await app.request("DELETE", `${room}/messages/3`, ada);
  assertEquals(removed.body.message.attachments, []);
  const log = await app.request("GET", `${room}/log`, ben);
  assert(!log.text.includes(FILE.url), log.text);
});

Deno.test("who may not write is told why", strict, async () => {
  await using app = await testApp();
  const { ada, ben, room } = await scene(app);
  const cid = await app.register("cid");
  const codeFor = async (user: TestUser) => {
    const body = { clientId: "c", text: "x" };
    return (await app.request("POST", `${room}/messages`, { ...user, body })).body.code;
  };
  assertEquals(await codeFor(cid), "not_a_member");
  const body = { role: "reader" };
  await app.request("PUT", `${room}/members/${ben.user.id}`, { ...ada, body });
  assertEquals(await codeFor(ben), "read_only");
});

Deno.test("sends are limited per principal", strict, async () => {
  await using app = await testApp({ LIMIT_SENDS_PER_SECOND: "1", LIMIT_SEND_BURST: "3" });
  const { ada, ben, room } = await scene(app);
  const send = (user: TestUser, clientId: string) =>
    app.request("POST", `${room}/messages`, { ...user, body: { clientId, text: "x" } });
  const statuses = [];
  for (let i = 0; i < 5; i++) statuses.push((await send(ada, `c${i}`)).status);
  assert(statuses.includes(429) && statuses[0] === 201, statuses.join());
  assertEquals((await send(ben, "c")).status, 201);
});

Deno.test("history is read in both directions, a page at a time", strict, async () => {
  await using app = await testApp();
  const { ada, ben, room } = await scene(app);
  for (let i = 3; i <= 7; i++) {
    const body = { clientId: `c${i}`, text: `Message ${i}` };
    await app.request("POST", `${room}/messages`, { ...ada, body });
  }
  const page = async (query: string) => {
    const { status, body } = await app.request("GET", `${room}/messages?${query}`, ben);
    assertEquals([status, body.head], [200, 7]);
    return [body.messages.map(({ seq }: Message) => seq), body.hasMore];
  };
  assertEquals(await page(""), [[3, 4, 5, 6, 7], false]);
  assertEquals(await page("limit=2"), [[6, 7], true]);
  assertEquals(await page("before=6&limit=2"), [[4, 5], true]);
  assertEquals(await page("before=4"), [[3], false]);
  assertEquals(await page("after=5"), [[6, 7], false]);
  assertEquals(await page("after=0&limit=1"), [[3], true]);
  assertEquals(await page("after=7"), [[], false]);
  const bad = ["before=1&after=1", "limit=0", "limit=201", "limit=1.5", "limit=", "after=-1"];
  for (
    const query of [...bad, "before=x", "before=99999999999999999", "offset=1", "after=1&after=2"]
  ) {
    const answer = await app.request("GET", `${room}/messages?${query}`, ben);
    assertEquals([answer.status, answer.body.code], [400, "invalid_request"], query);
  }
  for (const seq of ["0", "1", "99", "x", "-1", "1e3", "3.0", "9007199254740993"]) {
    assertEquals((await app.request("GET", `${room}/messages/${seq}`, ben)).status, 404, seq);
  }
});

Deno.test(
  "edits and deletes are one's own, repeat harmlessly and leave a tombstone",
  strict,
  async () => {
    await using app = await testApp();
    const { ada, ben, room } = await scene(app);
    const body = { clientId: "c", text: "Frist" };
    const path = `${room}/messages/3`;
    await app.request("POST", `${room}/messages`, { ...ben, body });
    const edit = (user: TestUser, change: unknown) =>
      app.request("PATCH", path, { ...user, body: change });
    assertEquals((await edit(ada, { text: "Hers" })).body.code, "forbidden");
    assertEquals((await edit(ben, {})).body.code, "invalid_request");
    assertEquals((await edit(ben, { text: "x", replyTo: 3 })).body.code, "invalid_request");
    const edited = await edit(ben, { text: "First", clientId: "e" });
    assertEquals([edited.body.message.text, edited.body.message.updatedSeq], ["First", 4]);
    assert(edited.body.message.editedAt);
    assertEquals((await edit(ben, { text: "First", clientId: "e" })).body.duplicate, true);
    assertEquals((await edit(ben, { text: "Other", clientId: "e" })).body.code, "client_id_reused");
    const removed = await app.request("DELETE", path, ada);
    assertEquals([removed.status, removed.body.duplicate], [200, false]);
    assertEquals([removed.body.message.seq, "text" in removed.body.message], [3, false]);
    assertEquals((await app.request("DELETE", path, ben)).body.duplicate, true);
    assertEquals((await edit(ben, { text: "Back" })).body.code, "message_deleted");
    const log = await app.request("GET", `${room}/log`, ada);
    assert(!log.text.includes("First") && !log.text.includes("Frist"), "The old text is gone");
  },
);

Deno.test(
  "the log holds every change, and a cursor that leads nowhere is told",
  strict,
  async () => {
    await using app = await testApp();
    const { ada, ben, room } = await scene(app);
    await app.request("POST", `${room}/messages`, { ...ben, body: { clientId: "c", text: "Hi" } });
    await app.request("PATCH", room, { ...ada, body: { name: "New name" } });
    const { body } = await app.request("GET", `${room}/log`, ben);
    assertEquals(
      body.entries.map(({ seq, event }: LogEntry) => [seq, event.type]),
      [[1, "member.joined"], [2, "member.joined"], [3, "message.created"], [4, "room.updated"]],
    );
    assertEquals([body.head, body.hasMore], [4, false]);
    const read = async (query: string) => {
      const answer = await app.request("GET", `${room}/log?${query}`, ben);
      return answer.body.code ?? answer.body.entries.map(({ seq }: LogEntry) => seq);
    };
    assertEquals(await read(`epoch=${body.epoch}&after=2&limit=1`), [3]);
    assertEquals(await read("after=4"), []);
    assertEquals(await read("after=5"), "epoch_changed");
    assertEquals(await read("epoch=other&after=2"), "epoch_changed");
    assertEquals(await read("after=x"), "invalid_request");
  },
);
