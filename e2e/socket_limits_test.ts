import { assert, assertEquals } from "@std/assert";
import type { ServerFrame } from "../lib/protocol.ts";
import { rawDrain, rawJson, rawSend, rawUpgrade } from "../testing/raw_http.ts";
import { testWith } from "../testing/services.ts";
import { range } from "../testing/subscriber.ts";
import { serverService, startTestServer, untilConnections } from "../testing/test_server.ts";
import type { TestSocket } from "../testing/test_socket.ts";
import { until } from "../testing/until.ts";

const isError = (code: string) => (frame: { type: string; code?: string }) =>
  frame.type === "error" && frame.code === code;

/** Sends what the server must refuse with `code`, and sees that the connection lives on. */
async function refuse(
  socket: TestSocket,
  frame: Parameters<TestSocket["send"]>[0],
  code: string,
): Promise<{ id?: string; errors?: { path: string }[] }> {
  const from = socket.frames.length;
  socket.send(frame);
  const refusal = await socket.wait(code, (one) => one.type === "error", from);
  assertEquals(refusal.code, code, JSON.stringify(refusal));
  await socket.settle();
  return refusal;
}

testWith(
  serverService,
  "frames that are not as they must be are refused by their code",
  async () => {
    await using server = await startTestServer();
    const ada = await server.api.register();
    const room = await server.api.room(ada);
    await using socket = await server.connect(ada);
    const send = { type: "send", id: "s", room, clientId: "c" };
    await refuse(socket, new Uint8Array([1, 2, 3]), "invalid_request");
    await refuse(socket, "{", "invalid_json");
    await refuse(socket, "", "invalid_json");
    await refuse(socket, "[]", "invalid_request");
    await refuse(socket, "null", "invalid_request");
    await refuse(socket, {}, "unknown_type");
    assertEquals((await refuse(socket, { type: "shout", id: "x" }, "unknown_type")).id, "x");
    const unknown = await refuse(socket, { type: "ping", loud: true }, "invalid_request");
    assertEquals(unknown.id, undefined);
    const nameless = await refuse(
      socket,
      { ...send, text: "hi", sender: ada.id },
      "invalid_request",
    );
    assertEquals([nameless.id, nameless.errors!.length], ["s", 1]);
    await refuse(socket, { type: "join", room }, "invalid_request"); // without an id
    await refuse(socket, { type: "join", id: "j", room: "lobby" }, "invalid_request");
    await refuse(socket, { ...send }, "invalid_request"); // nothing to say
    await refuse(socket, { ...send, text: "\u0000" }, "invalid_request");
    await refuse(socket, '{"type":"send","id":"s","text":"\\ud800"}', "invalid_request");
    const text = await refuse(socket, { ...send, text: "é".repeat(8193) }, "invalid_request");
    assertEquals(text.errors!.map(({ path }) => path), ["text"]);
    await refuse(socket, { type: "ping", loud: "x".repeat(65_536) }, "payload_too_large");
    await refuse(socket, { type: "ping", loud: "é".repeat(32_768) }, "payload_too_large");
    // Nothing of all that was stored.
    assertEquals((await socket.ok({ type: "join", room })).head, 1);
  },
);

testWith(serverService, "the largest text is sent, one byte more is not", async () => {
  await using server = await startTestServer();
  const ada = await server.api.register();
  const room = await server.api.room(ada);
  await using socket = await server.connect(ada);
  const text = "é".repeat(8192);
  const { seq } = await socket.ok({ type: "send", room, clientId: "c", text });
  await socket.ok({ type: "join", room, after: 0 });
  await socket.reach(room, seq);
  const { event } = socket.entries(room).at(-1)!;
  assert("message" in event && event.message.text === text);
});

testWith(serverService, "a hundred refused frames close, less those accepted between", async () => {
  await using server = await startTestServer();
  await using socket = await server.connect(await server.api.register());
  for (let i = 0; i < 99; i++) socket.send("nonsense");
  await socket.settle(); // each accepted frame, such as a ping, makes up for one
  socket.send("nonsense");
  await socket.settle();
  assertEquals(socket.closing, undefined);
  for (let i = 0; i < 2; i++) socket.send("nonsense");
  assertEquals((await socket.closed()).code, 4504);
  assertEquals(socket.frames.filter(isError("invalid_json")).length, 102);
  await untilConnections(server, 0);
});

testWith(serverService, "who sends too fast is told when to go on", async () => {
  await using server = await startTestServer({
    LIMIT_SENDS_PER_SECOND: "1",
    LIMIT_SEND_BURST: "3",
  });
  const [ada, bob] = await Promise.all([server.api.register(), server.api.register()]);
  const room = await server.api.room(ada, bob);
  await using socket = await server.connect(ada);
  await using other = await server.connect(bob);
  const send = (clientId: string) => ({ type: "send", room, clientId, text: "hi" });
  const answers = await Promise.all(range(1, 4).map((i) => socket.ask(send(`c${i}`))));
  assertEquals(answers.map(({ type }) => type), ["ok", "ok", "ok", "error"]);
  const { code, retryAfter } = answers[3];
  assertEquals(code, "rate_limited");
  assert(retryAfter > 0 && retryAfter <= 1, `${retryAfter} s`);
  // All connections of one account share what it may send; others have their own.
  await using second = await server.connect(ada);
  assertEquals(await second.refused(send("c5")), "rate_limited");
  await other.ok(send("c1"));
});

testWith(serverService, "a flood of frames is refused, and then ended", async () => {
  await using server = await startTestServer({
    LIMIT_SENDS_PER_SECOND: "1",
    LIMIT_SEND_BURST: "2",
  });
  await using socket = await server.connect(await server.api.register());
  for (let i = 0; i < 200; i++) socket.send({ type: "ping" });
  const limited = await socket.wait("a refusal", isError("rate_limited"));
  assert(limited.retryAfter > 0);
  assertEquals((await socket.closed()).code, 4009);
});

testWith(serverService, "an account has so many connections, and gets places back", async () => {
  await using server = await startTestServer({ LIMIT_SOCKETS_PER_PRINCIPAL: "2" });
  const [ada, bob] = await Promise.all([server.api.register(), server.api.register()]);
  await using _first = await server.connect(ada);
  const second = await server.connect(ada);
  {
    using third = await rawUpgrade(server.url, {
      headers: { authorization: `Bearer ${ada.token}` },
    });
    assertEquals(third.status, 429);
    assert(Number(third.headers.get("retry-after")) > 0);
    assertEquals((await rawJson(third)).code, "rate_limited");
  }
  await using _other = await server.connect(bob);
  await second.close();
  await untilConnections(server, 2);
  await using _third = await server.connect(ada);
});

testWith(serverService, "an address has so many connections", async () => {
  await using server = await startTestServer({ LIMIT_SOCKETS_PER_ADDRESS: "2" });
  const [ada, bob] = await Promise.all([server.api.register(), server.api.register()]);
  await using _first = await server.connect(ada);
  await using _second = await server.connect(bob);
  using third = await rawUpgrade(server.url, { headers: { authorization: `Bearer ${bob.token}` } });
  assertEquals([third.status, (await rawJson(third)).code], [429, "rate_limited"]);
});

testWith(serverService, "a connection joins so many rooms", async () => {
  await using server = await startTestServer({ LIMIT_JOINED_ROOMS: "2" });
  const ada = await server.api.register();
  const rooms = await Promise.all(range(1, 3).map(() => server.api.room(ada)));
  await using socket = await server.connect(ada);
  await socket.ok({ type: "join", room: rooms[0] });
  await socket.ok({ type: "join", room: rooms[1] });
  assertEquals(await socket.refused({ type: "join", room: rooms[2] }), "too_many_rooms");
  await socket.ok({ type: "join", room: rooms[1] }); // again is no further room
  await socket.ok({ type: "leave", room: rooms[0] });
  await socket.ok({ type: "join", room: rooms[2] });
});

testWith(serverService, "a reader that does not read is cut off and hinders nobody", async () => {
  await using server = await startTestServer({ LIMIT_OUTBOX_BYTES: "262144" });
  const { api } = server;
  const [ada, bob] = await Promise.all([api.register("ada"), api.register("bob")]);
  const [room, other] = [await api.room(ada, bob), await api.room(bob)];
  using slow = await rawUpgrade(server.url, { headers: { authorization: `Bearer ${bob.token}` } });
  await rawSend(slow, { type: "join", id: "j1", room });
  await rawSend(slow, { type: "join", id: "j2", room: other });
  await until("both rooms are served", () => server.rooms() === 2);
  await using fast = await server.connect(ada);
  await fast.ok({ type: "join", room });
  let sent = 2;
  const text = "x".repeat(15_000);
  // As much as the buffers of the system take, and then a little more.
  await until("the slow reader is out of its rooms", async () => {
    const sends = range(1, 10).map((i) => ({
      type: "send",
      room,
      clientId: `c${sent}-${i}`,
      text,
    }));
    const seqs = await Promise.all(sends.map((send) => fast.ok(send).then(({ seq }) => seq)));
    sent = Math.max(...seqs);
    return server.rooms() === 1;
  }, 30_000);
  await fast.reach(room, sent);
  assertEquals(fast.seqs(room), range(3, sent));
  assertEquals(server.connections(), 2, "as long as it is there, it has its place");
  // What it then reads ends with the reason, and has no gap: it can come back with its cursor.
  const { texts, code } = await rawDrain(slow);
  assertEquals(code, 4008);
  const frames: ServerFrame[] = texts.flatMap((text) => JSON.parse(text));
  const seqs = frames.flatMap((f) => f.type === "event" && f.room === room ? [f.seq] : []);
  assertEquals(seqs, range(3, 2 + seqs.length));
  assert(2 + seqs.length < sent, "it was not served everything");
  const rest = await api.log(bob, room, 2 + seqs.length);
  assertEquals(rest.map(({ seq }) => seq), range(3 + seqs.length, sent));
});
