import { assert, assertEquals } from "@std/assert";
import { announceChange } from "../lib/chat/announce.ts";
import { listCommands } from "../lib/chat/commands.ts";
import { createDevice } from "../lib/chat/devices.ts";
import type { LogEvent, ServerFrame } from "../lib/protocol.ts";
import { OK_FRAMES } from "../routes/server_frames.ts";
import { documentedAs } from "../testing/documented_payloads.ts";
import { TestStream } from "../testing/event_stream.ts";
import { testWith } from "../testing/services.ts";
import { serverService, startTestServer, type TestServer } from "../testing/test_server.ts";
import { TestSocket } from "../testing/test_socket.ts";

// A type that the wire contract gains is missing here until a test has seen it.
const EVENTS: Record<LogEvent["type"], true> = {
  "message.created": true,
  "message.edited": true,
  "message.deleted": true,
  "member.joined": true,
  "member.role": true,
  "member.left": true,
  "member.removed": true,
  "room.updated": true,
  "device.state": true,
  "device.alert": true,
  "command.updated": true,
};
const FRAMES: Record<ServerFrame["type"], true> = {
  ready: true,
  ok: true,
  error: true,
  event: true,
  signal: true,
  pong: true,
  heads: true,
  evicted: true,
  expiring: true,
};

/** A room that one hears of everything in, with three accounts that do it. */
async function scene(server: TestServer) {
  const { api } = server;
  const [ada, bob, cid] = await Promise.all(["ada", "bob", "cid"].map((n) => api.register(n)));
  const call = async (who: typeof ada, method: string, path: string, body?: unknown) => {
    const { status } = await api.request(method, path, { token: who!.token, body });
    assert(status < 300, `${method} ${path} answered ${status}`);
  };
  const made = await api.request("POST", "/v1/rooms", {
    token: ada!.token,
    body: { name: "a room", visibility: "public" },
  });
  const room: string = made.body.room.id;
  await call(bob, "POST", `/v1/rooms/${room}/join`, {});
  return { ada: ada!, bob: bob!, cid: cid!, room, path: `/v1/rooms/${room}`, call };
}

/** Lets a device of ada's be wished for, commanded, and missed. */
async function withDevice(
  { services }: TestServer,
  { ada, room, path, call }: Awaited<ReturnType<typeof scene>>,
): Promise<void> {
  const { chat } = services;
  const owner = { id: ada.id, kind: "user", role: "user", name: ada.name } as const;
  const { device: { id } } = await createDevice(chat, owner, "Pump");
  await call(ada, "PUT", `${path}/members/${id}`, { role: "member" });
  await call(ada, "PUT", `${path}/devices/${id}/state`, { desired: { level: 3 } });
  const name = "start";
  await call(ada, "POST", `${path}/devices/${id}/commands`, { clientId: "d1", name });
  const { items } = await listCommands(chat, owner, room, {}, { limit: 1 });
  await call(ada, "POST", `${path}/commands/${items[0]!.id}/cancel`);
  const [alert] = await services.db.query<{ seq: number }>(
    `select append_about_device($1, $2, 'device.alert', '{"kind": "silent"}') as seq`,
    [room, id],
  );
  await announceChange(chat, room, alert!.seq);
}

/** Sends every frame that is answered, and some that are refused. */
async function askEverything(socket: TestSocket, room: string, token: string): Promise<void> {
  await socket.ok({ type: "join", room, after: 0 });
  const send = { type: "send", room, clientId: "c1", text: "hello", metadata: { a: [1] } };
  const { seq } = await socket.ok(send);
  await socket.ok(send);
  await socket.ok({ type: "send", room, clientId: "c2", data: { n: 1 }, replyTo: seq });
  await socket.ok({ type: "edit", room, seq, text: "hello, world", clientId: "e1" });
  await socket.ok({ type: "delete", room, seq });
  socket.send({ type: "typing", room });
  await socket.ok({ type: "read", room, seq });
  await socket.ok({ type: "auth", token });
  await socket.refused({ ...send, text: "another" });
  await socket.refused({ type: "send", room, clientId: "c 3" });
  const file = { url: "https://files.example/a.jpg", name: "a.jpg", type: "image/jpeg", size: 1 };
  await socket.ok({ type: "send", room, clientId: "c4", attachments: [file] });
  const bad = { ...send, clientId: "c5", attachments: [file, { url: "javascript:alert(1)" }] };
  const { code, errors } = await socket.ask(bad);
  assertEquals([code, errors[0].path], ["invalid_request", "attachments.1.url"]);
  socket.send("{");
  await socket.settle();
}

testWith(
  serverService,
  "every kind of frame that the server sends is as the AsyncAPI document says",
  async () => {
    await using server = await startTestServer({ BEACON_SECONDS: "0.2" });
    const played = await scene(server);
    const { ada, bob, cid, room, path, call } = played;
    await using asking = await server.connect(ada);
    // Its token ends within a minute, so that it is told
    const token = await server.tokenFor(bob, 59);
    await using hearing = await TestSocket.connect(server.url, { token });
    await hearing.ok({ type: "join", room });
    await askEverything(asking, room, ada.token);
    await call(cid, "POST", `${path}/join`, {});
    await call(ada, "PUT", `${path}/members/${cid.id}`, { role: "reader" });
    await call(cid, "POST", `${path}/leave`, {});
    await call(ada, "PATCH", path, { name: "another name" });
    await withDevice(server, played);
    await hearing.wait("heads", ({ type }) => type === "heads");
    await call(ada, "DELETE", `${path}/members/${bob.id}`);
    await hearing.wait("the eviction", ({ type }) => type === "evicted");
    await asking.wait("the removal", (frame) => frame.event?.type === "member.removed");
    await asking.ok({ type: "leave", room });

    const frames = [...asking.frames, ...hearing.frames];
    const types = new Set(frames.map(({ type }) => type));
    assertEquals([...types].sort(), Object.keys(FRAMES).sort());
    const files = asking.entries(room).flatMap(({ event }) =>
      event.type === "message.created" ? event.message.attachments : []
    );
    assertEquals(files.map(({ url }) => url), ["https://files.example/a.jpg"]);
    const events = new Set(frames.flatMap((one) => one.type === "event" ? [one.event.type] : []));
    assertEquals([...events].sort(), Object.keys(EVENTS).sort());

    const { body: document } = await server.api.request("GET", "/asyncapi.json");
    const nameOf = documentedAs(document, "socket");
    for (const frame of frames) {
      assert(nameOf(frame).some((name) => name.startsWith(frame.type)), JSON.stringify(frame));
    }
    const answers = new Set(frames.filter(({ type }) => type === "ok").flatMap(nameOf));
    const all = Object.keys(OK_FRAMES).map((type) => `ok${type[0]!.toUpperCase()}${type.slice(1)}`);
    assertEquals([...answers].sort(), all.sort());
    const batches = [...asking.wire, ...hearing.wire].filter((text) => text.startsWith("["));
    assert(batches.length > 0, "the replay came as an array");
    for (const batch of batches) assertEquals(nameOf(JSON.parse(batch)), ["batch"]);
  },
);

testWith(
  serverService,
  "every kind of event that a stream brings is as the AsyncAPI document says",
  async () => {
    await using server = await startTestServer();
    const { ada, bob, cid, room, path, call } = await scene(server);
    await call(cid, "POST", `${path}/join`, {});
    const open = (token: string, more: { lastEventId?: string } = {}) =>
      TestStream.open(server.url, room, { token, ...more });
    await using first = await open(bob.token);
    await using lost = await open(ada.token, { lastEventId: "another:1" });
    await using removed = await open(cid.token);
    await using socket = await server.connect(ada);
    await socket.ok({ type: "join", room });
    socket.send({ type: "typing", room });
    await first.wait("signal");
    await call(ada, "DELETE", `${path}/members/${cid.id}`);
    await removed.wait("evicted");
    await first.wait("message");
    await lost.wait("reset");
    const { body: document } = await server.api.request("GET", "/asyncapi.json");
    await server.stop();
    await first.wait("closing");

    const events = [first, lost, removed].flatMap((stream) => stream.events);
    const names = new Set(events.map(({ event }) => event));
    assertEquals([...names].sort(), Object.keys(document.channels.stream.messages).sort());
    const namesOf = documentedAs(document, "stream");
    for (const { event, data } of events) {
      assert(namesOf(data).includes(event), `${event}: ${JSON.stringify(data)}`);
    }
  },
);
