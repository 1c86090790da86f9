import { assert, assertEquals } from "@std/assert";
import { TestStream } from "../testing/event_stream.ts";
import { rawGet } from "../testing/raw_http.ts";
import { testWith } from "../testing/services.ts";
import { range } from "../testing/subscriber.ts";
import { serverService, startTestServer, untilConnections } from "../testing/test_server.ts";
import { until } from "../testing/until.ts";

const scene = async (env: Record<string, string> = {}) => {
  const server = await startTestServer(env);
  const { api } = server;
  const [ada, bob] = await Promise.all([api.register("ada"), api.register("bob")]);
  const room = await api.room(ada, bob); // entries 1 and 2
  const stream = (options: Parameters<typeof TestStream.open>[2] = {}) =>
    TestStream.open(server.url, room, { token: bob.token, ...options });
  const { epoch } = server.services;
  return {
    server,
    api,
    ada,
    bob,
    room,
    epoch,
    stream,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
};

testWith(
  serverService,
  "a stream says where the room stands, and then brings what is new",
  async () => {
    await using server = await startTestServer();
    const { api } = server;
    const [ada, bob] = await Promise.all([api.register("ada"), api.register("bob")]);
    const room = await api.room(ada, bob);
    await using stream = await TestStream.open(server.url, room, { token: bob.token });
    assertEquals(stream.status, 200);
    assertEquals(stream.headers.get("content-type"), "text/event-stream; charset=utf-8");
    const { data } = await stream.wait("ready");
    const { epoch } = server.services;
    const standing = { head: 2, read: 2, unread: 0, role: "member" };
    assertEquals(data, { room, epoch: epoch.value, ...standing });
    const { seq } = await api.send(ada, room, "hello");
    await stream.reach(seq);
    const [entry] = stream.events.filter(({ event }) => event === "message");
    assertEquals(entry!.id, `${epoch.value}:3`);
    assertEquals([entry!.data.seq, entry!.data.event.message.text], [3, "hello"]);
    await using socket = await server.connect(ada);
    await socket.ok({ type: "join", room });
    socket.send({ type: "typing", room });
    const signals = () => stream.events.flatMap(({ data }) => data.signal ?? []);
    await until("typing", () => signals().some(({ type }) => type === "typing"));
    const typing = signals().find(({ type }) => type === "typing");
    assertEquals(typing.principal.id, ada.id);
  },
);

testWith(
  serverService,
  "Last-Event-ID goes on after the last event, and wins over the query",
  async () => {
    await using s = await scene();
    for (const text of ["one", "two", "three"]) await s.api.send(s.ada, s.room, text);
    const lastEventId = `${s.epoch.value}:3`;
    await using resumed = await s.stream({ lastEventId, query: { after: "1" } });
    assertEquals((await resumed.wait("ready")).data.recovered, true);
    await using asked = await s.stream({ query: { after: "2", epoch: s.epoch.value } });
    await s.api.send(s.ada, s.room, "four");
    await resumed.reach(6);
    assertEquals(resumed.seqs, [4, 5, 6]);
    await asked.reach(6);
    assertEquals(asked.seqs, [3, 4, 5, 6]);
  },
);

testWith(serverService, "a cursor that cannot be trusted resets the stream", async () => {
  await using s = await scene();
  for (const lastEventId of ["another:1", `${s.epoch.value}:99`]) {
    await using stream = await s.stream({ lastEventId });
    assertEquals((await stream.wait("ready")).data.recovered, false);
    const reset = await stream.wait("reset");
    assertEquals(reset.id, `${s.epoch.value}:2`, "what a client remembers is right again");
    assertEquals(reset.data, { room: s.room, epoch: s.epoch.value, head: 2 });
    assertEquals(stream.seqs, []);
  }
  await using garbage = await s.stream({ lastEventId: "garbage" });
  assertEquals([garbage.status, garbage.events[0]!.data.code], [400, "invalid_cursor"]);
});

testWith(serverService, "who may not read gets no stream", async () => {
  await using s = await scene();
  const eve = await s.api.register("eve");
  const refused = async (options: Parameters<typeof TestStream.open>[2], room = s.room) => {
    await using stream = await TestStream.open(s.server.url, room, options);
    return [stream.status, stream.events[0]!.data.code];
  };
  assertEquals(await refused({}), [401, "unauthenticated"]);
  assertEquals(await refused({ token: "garbage" }), [401, "token_invalid"]);
  const expired = await s.server.tokenFor(s.bob, -60);
  assertEquals(await refused({ token: expired }), [401, "token_expired"]);
  assertEquals(await refused({ token: eve.token }), [404, "not_found"]);
  assertEquals(await refused({ token: s.bob.token }, "lobby"), [404, "not_found"]);
  assertEquals(s.server.connections(), 0);
});

testWith(serverService, "a removed member's stream ends with the removal", async () => {
  await using s = await scene();
  await using stream = await s.stream();
  await stream.wait("ready");
  await s.api.send(s.ada, s.room, "before");
  await s.api.remove(s.ada, s.room, s.bob);
  await s.api.send(s.ada, s.room, "after");
  await stream.end();
  assertEquals(stream.seqs, [3, 4]);
  assertEquals(stream.events.at(-1), {
    id: undefined,
    event: "evicted",
    data: { room: s.room, code: "removed" },
  });
  await untilConnections(s.server, 0);
});

testWith(serverService, "a stream ends with its token, and with its session", async () => {
  await using s = await scene();
  const token = await s.server.tokenFor(s.bob, 1);
  await using expiring = await s.stream({ token });
  await expiring.end(3000);
  assertEquals((await expiring.wait("closing")).data.code, 4501);
  await using stream = await s.stream();
  await stream.wait("ready");
  await s.api.request("POST", "/v1/auth/logout", { token: s.bob.token });
  await stream.end(2000);
  assertEquals((await stream.wait("closing")).data.code, 4501);
  await untilConnections(s.server, 0);
});

testWith(serverService, "streams count as connections, and their places come back", async () => {
  await using s = await scene({ LIMIT_SOCKETS_PER_PRINCIPAL: "1" });
  {
    await using first = await s.stream();
    await first.wait("ready");
    await using second = await s.stream();
    assertEquals([second.status, second.events[0]!.data.code], [429, "rate_limited"]);
  }
  await untilConnections(s.server, 0);
  await using third = await s.stream();
  await third.wait("ready");
});

testWith(
  serverService,
  "a node that leaves ends its streams and says when to come back",
  async () => {
    await using s = await scene();
    await using stream = await s.stream();
    await stream.wait("ready");
    await s.server.stop();
    await stream.end();
    const { data } = await stream.wait("closing");
    assertEquals(data.code, 4012);
    assert(data.retryAfter >= 0 && data.retryAfter <= 3);
  },
);

testWith(serverService, "a stream that nobody reads ends, and hinders nobody", async () => {
  await using s = await scene({ LIMIT_OUTBOX_BYTES: "262144" });
  const path = `/v1/rooms/${s.room}/stream`;
  using slow = await rawGet(`${s.server.url}${path}`, { authorization: `Bearer ${s.bob.token}` });
  assertEquals(slow.status, 200);
  assertEquals(s.server.connections(), 1);
  await using fast = await TestStream.open(s.server.url, s.room, { token: s.ada.token });
  await fast.wait("ready");
  const text = "x".repeat(15_000);
  let sent = 2;
  await until("the stream nobody reads has ended", async () => {
    const sends = await Promise.all(range(1, 10).map(() => s.api.send(s.ada, s.room, text)));
    sent = Math.max(...sends.map(({ seq }) => seq));
    return s.server.connections() === 1;
  }, 30_000);
  await fast.reach(sent);
  assertEquals(fast.seqs, range(3, sent));
});
