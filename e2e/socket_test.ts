import { assert, assertEquals } from "@std/assert";
import { testWith } from "../testing/services.ts";
import { range } from "../testing/subscriber.ts";
import { serverService, startTestServer } from "../testing/test_server.ts";
import { until } from "../testing/until.ts";

const scene = async (env: Record<string, string> = {}) => {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startTestServer(env));
  const { api } = server;
  const [ada, bob] = await Promise.all([api.register("ada"), api.register("bob")]);
  const room = await api.room(ada, bob); // entries 1 and 2: both have joined
  const a = stack.use(await server.connect(ada));
  const b = stack.use(await server.connect(bob));
  const opened = stack.move();
  return { server, api, ada, bob, room, a, b, [Symbol.asyncDispose]: () => opened.disposeAsync() };
};

testWith(serverService, "the first frame says who one is, and within which limits", async () => {
  await using s = await scene({ LIMIT_JOINED_ROOMS: "7" });
  const { principal, epoch, limits, features, expiresAt, connection } = s.a.ready;
  assertEquals(principal, { id: s.ada.id, kind: "user", name: "ada" });
  assertEquals(epoch, s.server.services.epoch.value);
  assertEquals(limits.joinedRooms, 7);
  assertEquals(limits.frameBytes, 65_536);
  assert(features.includes("batch") && features.includes("resume") && features.includes("heads"));
  const leftMs = Date.parse(expiresAt) - Date.now();
  assert(leftMs > 800_000 && leftMs <= 900_000, `${leftMs} ms left`);
  assert(connection !== s.b.ready.connection);
});

testWith(
  serverService,
  "join without a cursor answers first, and then brings what is new",
  async () => {
    await using s = await scene();
    const ok = await s.a.ok({ type: "join", room: s.room });
    const { id: _, type: __, epoch, ...rest } = ok;
    assertEquals(rest, { room: s.room, head: 2, read: 1, unread: 0, role: "owner" });
    assertEquals(epoch, s.a.ready.epoch);
    await s.api.send(s.bob, s.room, "hello");
    await s.a.reach(s.room, 3);
    assertEquals(s.a.seqs(s.room), [3]);
    assertEquals(s.a.entries(s.room)[0]!.event.type, "message.created");
  },
);

testWith(
  serverService,
  "join with a cursor replays everything after it, then goes on live",
  async () => {
    await using s = await scene();
    for (const text of ["one", "two", "three"]) await s.api.send(s.bob, s.room, text);
    const before = s.a.frames.length;
    const ok = await s.a.ok({ type: "join", room: s.room, after: 2, epoch: s.a.ready.epoch });
    assertEquals([ok.recovered, ok.head], [true, 5]);
    await s.api.send(s.bob, s.room, "four");
    await s.a.reach(s.room, 6);
    assertEquals(s.a.seqs(s.room), [3, 4, 5, 6]);
    assertEquals(s.a.frames[before]!.type, "ok", "the answer comes before the replay");
    const whole = await s.b.ok({ type: "join", room: s.room, after: 0 });
    assertEquals(whole.recovered, true);
    await s.b.reach(s.room, 6);
    assertEquals(s.b.seqs(s.room), range(1, 6));
  },
);

testWith(
  serverService,
  "a cursor that cannot be trusted is not recovered, and live goes on",
  async () => {
    await using s = await scene({ LIMIT_REPLAY_ENTRIES: "2" });
    await s.api.send(s.bob, s.room, "one");
    const cursors = [
      { after: 2, epoch: "another" },
      { after: 4, epoch: s.a.ready.epoch }, // ahead of the head
      { after: 0 }, // three entries, and two are replayed at most
    ];
    for (const cursor of cursors) {
      const ok = await s.a.ok({ type: "join", room: s.room, ...cursor });
      assertEquals([ok.recovered, ok.head], [false, 3], JSON.stringify(cursor));
    }
    assertEquals(s.a.seqs(s.room), []);
    await s.api.send(s.bob, s.room, "two");
    await s.a.reach(s.room, 4);
    assertEquals(s.a.seqs(s.room), [4]);
  },
);

testWith(serverService, "send is answered with its seq, a repeat with the first one", async () => {
  await using s = await scene();
  await s.a.ok({ type: "join", room: s.room });
  const send = { type: "send", room: s.room, clientId: "c1", text: "hello" };
  const first = await s.a.ok(send);
  assertEquals([first.seq, first.duplicate], [3, false]);
  const again = await s.a.ok(send);
  assertEquals([again.seq, again.duplicate, again.at], [3, true, first.at]);
  assertEquals(await s.a.refused({ ...send, text: "other" }), "client_id_reused");
  // Of another sender, the same clientId is another message.
  assertEquals((await s.b.ok(send)).seq, 4);
  await s.a.reach(s.room, 4);
  const own = s.a.entries(s.room).map(({ event }) => "message" in event && event.message.clientId);
  assertEquals(own, ["c1", undefined], "only the sender sees its clientId");
});

testWith(serverService, "edit and delete put the resulting message into the log", async () => {
  await using s = await scene();
  await s.b.ok({ type: "join", room: s.room });
  await s.a.ok({ type: "send", room: s.room, clientId: "c1", text: "frist" });
  const edit = { type: "edit", room: s.room, seq: 3, text: "first", clientId: "e1" };
  const edited = await s.a.ok(edit);
  assertEquals([edited.seq, edited.duplicate, edited.message.text], [4, false, "first"]);
  const repeated = await s.a.ok(edit);
  assertEquals([repeated.seq, repeated.duplicate], [4, true]);
  assertEquals(await s.b.refused({ ...edit, clientId: "e2" }), "forbidden");
  const deleted = await s.a.ok({ type: "delete", room: s.room, seq: 3, clientId: "d1" });
  assertEquals([deleted.seq, deleted.message.text], [5, undefined]);
  assertEquals(await s.a.refused({ ...edit, clientId: "e3" }), "message_deleted");
  await s.b.reach(s.room, 5);
  const changes = s.b.entries(s.room).slice(1).map(({ seq, event }) => {
    assert(event.type === "message.edited" || event.type === "message.deleted");
    return [seq, event.type, event.target, event.message.updatedSeq, event.message.text];
  });
  assertEquals(changes, [
    [4, "message.edited", 3, 4, "first"],
    [5, "message.deleted", 3, 5, undefined],
  ]);
});

testWith(serverService, "typing and read reach the others as signals", async () => {
  await using s = await scene();
  s.a.send({ type: "typing", room: s.room });
  await s.a.wait("a refusal", (frame) => frame.type === "error" && frame.code === "not_joined");
  await s.a.ok({ type: "join", room: s.room });
  await s.b.ok({ type: "join", room: s.room });
  await s.api.send(s.bob, s.room, "hello");
  s.a.send({ type: "typing", room: s.room });
  const isSignal = (type: string) => (frame: { type: string; signal?: { type: string } }) =>
    frame.type === "signal" && frame.signal!.type === type;
  const typing = await s.b.wait("typing", isSignal("typing"));
  assertEquals(typing.signal.principal, { id: s.ada.id, kind: "user", name: "ada" });
  // Never beyond the head, never back.
  const { read, unread } = await s.a.ok({ type: "read", room: s.room, seq: 99 });
  assertEquals([read, unread], [3, 0]);
  assertEquals((await s.a.ok({ type: "read", room: s.room, seq: 1 })).read, 3);
  s.a.send({ type: "read", room: s.room, seq: 3 });
  const receipt = await s.b.wait("a receipt", isSignal("receipt"));
  assertEquals([receipt.signal.principal.id, receipt.signal.read], [s.ada.id, 3]);
});

testWith(serverService, "leave ends a room on this connection only", async () => {
  await using s = await scene();
  await using other = await s.server.connect(s.ada);
  await s.a.ok({ type: "join", room: s.room });
  await other.ok({ type: "join", room: s.room });
  assertEquals((await s.a.ok({ type: "leave", room: s.room })).room, s.room);
  await s.api.send(s.bob, s.room, "hello");
  await other.reach(s.room, 3);
  await s.a.settle();
  assertEquals(s.a.seqs(s.room), []);
  const ok = await s.a.ok({ type: "join", room: s.room, after: 2 });
  assertEquals(ok.recovered, true);
  await s.a.reach(s.room, 3);
});

testWith(serverService, "a room that one may not see is not found", async () => {
  await using s = await scene();
  await using stranger = await s.server.connect(await s.api.register("eve"));
  const unknown = "01890000-0000-7000-8000-000000000000";
  for (const room of [s.room, unknown]) {
    assertEquals(await stranger.refused({ type: "join", room }), "not_found");
    const send = { type: "send", room, clientId: "c", text: "x" };
    assertEquals(await stranger.refused(send), "not_found");
    assertEquals(await stranger.refused({ type: "read", room, seq: 1 }), "not_found");
  }
});

testWith(serverService, "?peer= opens the direct room and joins it", async () => {
  await using s = await scene();
  await using first = await s.server.connect(s.ada, { peer: s.bob.id });
  const { room, role } = await first.wait("the join", (frame) => frame.id === "peer");
  assertEquals(role, "member");
  await using second = await s.server.connect(s.bob, { peer: s.ada.id });
  assertEquals((await second.wait("the join", (frame) => frame.id === "peer")).room, room);
  const { seq } = await first.ok({ type: "send", room, clientId: "c1", text: "psst" });
  await Promise.all([first.reach(room, seq), second.reach(room, seq)]);
});

testWith(
  serverService,
  "the beacon tells the heads of joined rooms once they have changed",
  async () => {
    await using s = await scene({ BEACON_SECONDS: "0.1" });
    await s.a.ok({ type: "join", room: s.room });
    await s.api.send(s.bob, s.room, "hello");
    const heads = await s.a.wait("heads", (frame) => frame.type === "heads");
    assertEquals(heads.rooms, { [s.room]: 3 });
    assertEquals(s.a.seqs(s.room), [3], "what is told has been delivered");
  },
);

testWith(serverService, "what is written in one turn leaves as one frame, in order", async () => {
  await using s = await scene();
  await s.a.ok({ type: "join", room: s.room });
  await s.b.ok({ type: "join", room: s.room });
  const count = 200;
  for (let i = 0; i < count; i++) {
    s.b.send({ type: "send", id: `s${i}`, room: s.room, clientId: `c${i}`, text: `${i}` });
  }
  await s.a.reach(s.room, 2 + count);
  assertEquals(s.a.seqs(s.room), range(3, 2 + count));
  const texts = s.a.entries(s.room).map(({ event }) => "message" in event && event.message.text);
  assertEquals(texts, range(0, count - 1).map(String), "one connection's sends keep their order");
  const arrays = s.a.wire.filter((frame) => frame.startsWith("["));
  assert(arrays.length > 0, "some entries came together");
  assert(s.a.wire.length < count, `${s.a.wire.length} frames for ${count} entries`);
  await until("every send is answered", () => {
    const answers = s.b.frames.filter((frame) => frame.type === "ok" && /^s\d/.test(frame.id));
    return answers.length === count;
  });
});
