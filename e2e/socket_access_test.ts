import { assert, assertEquals } from "@std/assert";
import { rawJson, rawUpgrade } from "../testing/raw_http.ts";
import { testWith } from "../testing/services.ts";
import { serverService, startTestServer, untilConnections } from "../testing/test_server.ts";
import { TestSocket } from "../testing/test_socket.ts";

/** What an upgrade without success says. */
async function refusal(
  server: string,
  request: Parameters<typeof rawUpgrade>[1],
): Promise<{ status: number; code: string; retryAfter: string | null }> {
  using answer = await rawUpgrade(server, request);
  const { code } = await rawJson(answer);
  return { status: answer.status, code, retryAfter: answer.headers.get("retry-after") };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

testWith(serverService, "who may not connect is told so before the upgrade", async () => {
  await using server = await startTestServer();
  const ada = await server.api.register();
  const refused = async (request: Parameters<typeof rawUpgrade>[1]) => {
    const { status, code } = await refusal(server.url, request);
    return `${status} ${code}`;
  };
  const expired = await server.tokenFor(ada, -60);
  assertEquals(await refused({}), "401 unauthenticated");
  assertEquals(await refused({ headers: bearer("garbage") }), "401 token_invalid");
  assertEquals(await refused({ headers: bearer(expired) }), "401 token_expired");
  assertEquals(await refused({ query: { ticket: "garbage" } }), "401 ticket_invalid");
  // A token is no ticket, and never read from the URL.
  assertEquals(await refused({ query: { ticket: ada.token } }), "401 ticket_invalid");
  assertEquals(await refused({ query: { token: ada.token } }), "400 invalid_request");
  const protocol = { ...bearer(ada.token), "sec-websocket-protocol": "mqtt" };
  assertEquals(await refused({ headers: protocol }), "400 invalid_request");
  const peer = { headers: bearer(ada.token), query: { peer: ada.id.replace(/.$/, "0") } };
  assertEquals(await refused(peer), "404 not_found");
  const plain = await server.api.request("GET", "/v1/socket", { token: ada.token });
  assertEquals([plain.status, plain.body.code], [426, "upgrade_required"]);
  assertEquals(server.connections(), 0);
});

testWith(
  serverService,
  "browsers of other sites are refused, configured ones are not",
  async () => {
    await using server = await startTestServer({ ALLOWED_ORIGINS: "https://app.example.org" });
    const ada = await server.api.register();
    const own = server.services.config.publicUrl ?? server.url;
    for (const origin of ["https://evil.example.org", "null", `${own}.evil.example.org`]) {
      const { status, code } = await refusal(server.url, {
        headers: { ...bearer(ada.token), origin },
      });
      assertEquals([status, code], [403, "origin_not_allowed"], origin);
    }
    for (const origin of ["https://app.example.org", own]) {
      using answer = await rawUpgrade(server.url, { headers: { ...bearer(ada.token), origin } });
      assertEquals(answer.status, 101, origin);
    }
    await untilConnections(server, 0);
  },
);

testWith(
  serverService,
  "a ticket opens one connection, once, while its session lives",
  async () => {
    await using server = await startTestServer();
    const ada = await server.api.register();
    const ticket = await server.api.ticket(ada);
    await using socket = await TestSocket.connect(server.url, { query: { ticket } });
    assertEquals(socket.ready.principal.id, ada.id);
    const again = await refusal(server.url, { query: { ticket } });
    assertEquals([again.status, again.code], [401, "ticket_invalid"]);
    const unused = await server.api.ticket(ada);
    await server.api.request("POST", "/v1/auth/logout", { token: ada.token });
    const late = await refusal(server.url, { query: { ticket: unused } });
    assertEquals([late.status, late.code], [401, "ticket_invalid"]);
    await socket.closed();
  },
);

testWith(
  serverService,
  "a connection says that it expires, and closes 4501 when it does",
  async () => {
    await using server = await startTestServer();
    const ada = await server.api.register();
    await using socket = await server.connect({ ...ada, token: await server.tokenFor(ada, 2) });
    const { at } = await socket.wait("expiring", (frame) => frame.type === "expiring");
    assertEquals(at, socket.ready.expiresAt);
    const { code } = await socket.closed(4000);
    assertEquals(code, 4501);
    const lateMs = Date.now() - Date.parse(at);
    assert(lateMs > -50, `closed ${-lateMs} ms before its time`);
    await untilConnections(server, 0);
  },
);

testWith(serverService, "auth renews the access of the same account only", async () => {
  await using server = await startTestServer();
  const [ada, bob] = await Promise.all([server.api.register("ada"), server.api.register("bob")]);
  await using socket = await server.connect({ ...ada, token: await server.tokenFor(ada, 3) });
  assertEquals(await socket.refused({ type: "auth", token: bob.token }), "forbidden");
  assertEquals(await socket.refused({ type: "auth", token: "garbage" }), "token_invalid");
  const expired = await server.tokenFor(ada, -60);
  assertEquals(await socket.refused({ type: "auth", token: expired }), "token_expired");
  const soon = await server.tokenFor(ada, 70);
  const { expiresAt } = await socket.ok({ type: "auth", token: soon });
  assert(Date.parse(expiresAt) > Date.parse(socket.ready.expiresAt) + 60_000, expiresAt);
  // Beyond its first end it is still there: a connection made later with the same end is not.
  await using other = await server.connect({ ...ada, token: await server.tokenFor(ada, 3) });
  assertEquals((await other.closed()).code, 4501);
  await socket.settle();
  assertEquals(socket.closing, undefined);
});

testWith(serverService, "a removed member receives the removal and nothing later", async () => {
  await using server = await startTestServer();
  const { api } = server;
  const [ada, bob] = await Promise.all([api.register("ada"), api.register("bob")]);
  const [room, elsewhere] = [await api.room(ada, bob), await api.room(ada, bob)];
  await using a = await server.connect(ada);
  await using b = await server.connect(bob);
  for (const socket of [a, b]) {
    await socket.ok({ type: "join", room });
    await socket.ok({ type: "join", room: elsewhere });
  }
  // Sent in one go: what follows the removal in the log is on its way when that is delivered.
  await Promise.all([
    ...Array.from({ length: 20 }, (_, i) => api.send(ada, room, `before or after ${i}`)),
    api.remove(ada, room, bob),
  ]);
  await api.send(ada, room, "secret");
  await a.reach(room, 24);
  await b.wait("the eviction", (frame) => frame.type === "evicted" && frame.room === room);
  await api.send(ada, elsewhere, "goes on");
  await b.reach(elsewhere, 3);
  await b.settle();
  const removal = a.entries(room).find(({ event }) => event.type === "member.removed")!;
  const expected = a.entries(room).map(({ seq }) => seq).filter((seq) => seq <= removal.seq);
  assertEquals(b.seqs(room), expected);
  const evicted = b.frames.findIndex((frame) => frame.type === "evicted");
  assert(b.frames.findLastIndex((f) => f.type === "event" && f.room === room) < evicted);
  assertEquals(await b.refused({ type: "join", room, after: 0 }), "not_found");
  const send = { type: "send", room, clientId: "c", text: "let me in" };
  assertEquals(await b.refused(send), "not_found");
});

testWith(
  serverService,
  "a join under way when one is removed does not succeed for long",
  async () => {
    await using server = await startTestServer();
    const { api } = server;
    const [ada, bob] = await Promise.all([api.register("ada"), api.register("bob")]);
    for (let round = 0; round < 10; round++) {
      const room = await api.room(ada, bob);
      await using b = await server.connect(bob);
      const [answer] = await Promise.all([
        b.ask({ type: "join", room, after: 0 }),
        api.remove(ada, room, bob),
      ]);
      const { seq } = await api.send(ada, room, "secret");
      if (answer.type === "ok") {
        await b.wait(
          "the eviction",
          (frame) => frame.type === "evicted" || frame.code === "removed",
        );
      } else assert(["not_found", "removed"].includes(answer.code), JSON.stringify(answer));
      await b.settle();
      assert(!b.seqs(room).includes(seq), "nothing after the removal");
    }
  },
);

testWith(
  serverService,
  "logout closes every connection of its session, and only those",
  async () => {
    await using server = await startTestServer();
    const ada = await server.api.register("ada");
    const phone = await server.api.login(ada);
    await using first = await server.connect(ada);
    await using second = await TestSocket.connect(server.url, {
      query: { ticket: await server.api.ticket(ada) },
    });
    await using other = await server.connect(phone);
    const answer = await server.api.request("POST", "/v1/auth/logout", { token: ada.token });
    assertEquals(answer.status, 204);
    for (const socket of [first, second]) assertEquals((await socket.closed(2000)).code, 4501);
    await other.settle();
    const late = await refusal(server.url, { headers: bearer(ada.token) });
    assertEquals([late.status, late.code], [401, "session_revoked"]);
  },
);

testWith(
  serverService,
  "a node that leaves says when to come back, and admits nobody",
  async () => {
    await using server = await startTestServer();
    const ada = await server.api.register();
    await using socket = await server.connect(ada);
    await server.stop();
    assertEquals((await socket.closed()).code, 4012);
    const last = socket.frames.at(-1)!;
    assert(last.type === "error" && last.code === "restarting" && last.retryAfter !== undefined);
    assert(last.retryAfter >= 0 && last.retryAfter <= 3, `${last.retryAfter} s`);
  },
);
