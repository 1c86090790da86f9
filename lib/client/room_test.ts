import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConfabClientError } from "./errors.ts";
import type { Room } from "./room.ts";
import { settle, until } from "./testing/manual_clock.ts";
import { refusal } from "./testing/scripted_rest.ts";
import { OTHER, visible } from "./testing/scripted_server.ts";
import { scene } from "./testing/scene.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

function listen(room: Room) {
  const seen: string[] = [];
  room.on("message", ({ text }) => seen.push(text ?? ""));
  room.on("change", ({ text, deletedAt }) => seen.push(deletedAt ? "deleted" : `edited ${text}`));
  room.on("reset", () => seen.push("reset"));
  return seen;
}

const texts = (room: Room) => room.timeline.messages.map(({ text }) => text);

async function joined() {
  const all = await scene();
  const log = all.server.room("r");
  for (const text of ["one", "two", "three"]) all.server.say("r", text);
  const room = all.client.room("r");
  const seen = listen(room);
  await room.load();
  const reconnect = async () => {
    all.client.retryNow();
    await until(() => room.status === "live");
  };
  return { ...all, log, room, seen, reconnect };
}

Deno.test("Room shows what was there and what comes", strict, async () => {
  const { client, server, room, seen } = await joined();
  server.say("r", "four");
  await until(() => seen.length === 1);
  assertEquals(texts(room), ["one", "two", "three", "four"]);
  assertEquals([seen, room.unread, room.cursor?.seq], [["four"], 4, 4]);
  client.close();
});

Deno.test(
  "Room goes on from its cursor after a reconnect, without gap or double",
  strict,
  async () => {
    const { client, server, room, seen, reconnect } = await joined();
    server.say("r", "four");
    await until(() => seen.length === 1);
    server.socket.close();
    await until(() => client.state.name === "waiting");
    server.say("r", "five");
    server.room("r").change(OTHER, 1, "one, edited");
    server.room("r").change(OTHER, 2, undefined);
    await reconnect();
    await until(() => seen.length === 4);
    assertEquals(seen, ["four", "five", "edited one, edited", "deleted"]);
    assertEquals(texts(room), ["one, edited", undefined, "three", "four", "five"]);
    assertEquals([server.socket.got("join")[0]?.after, room.unread], [4, 7]);
    client.close();
  },
);

Deno.test("Room starts over when its cursor is of no use", strict, async () => {
  const { client, server, log, room, seen, reconnect } = await joined();
  server.socket.close();
  await until(() => client.state.name === "waiting");
  log.rewind(1);
  server.say("r", "another two");
  await reconnect();
  await until(() => texts(room).length === 2);
  assertEquals(texts(room), ["one", "another two"]);
  server.say("r", "another three");
  await until(() => seen.length === 2);
  assertEquals(seen, ["reset", "another three"]);
  assertEquals(room.cursor, { epoch: "epoch-1+", seq: 3 });
  client.close();
});

Deno.test("Room fetches what is missing before it shows what came early", strict, async () => {
  const { client, server, seen } = await joined();
  server.silent = true;
  server.say("r", "four");
  server.say("r", "five");
  server.silent = false;
  server.say("r", "six");
  server.say("r", "seven");
  await until(() => seen.length === 4);
  assertEquals(seen, ["four", "five", "six", "seven"]);
  assertEquals(server.rest.requests.filter((path) => path.endsWith("/log")).length, 1);
  client.close();
});

Deno.test(
  "Room fetches the last message before a silence when the heads show it",
  strict,
  async () => {
    const { clock, client, server, seen } = await joined();
    server.silent = true;
    server.say("r", "four");
    server.socket.send({ type: "heads", rooms: { r: 4 } });
    await settle();
    clock.advance(700);
    await until(() => seen.length === 1);
    client.close();
  },
);

Deno.test("Room reads the log again when that fails for a while", strict, async () => {
  const { clock, client, server, seen } = await joined();
  let refused = 0;
  server.rest.intercept = (path) => {
    if (!path.endsWith("/log") || refused === 3) return undefined;
    refused++;
    return refusal(503, "unavailable");
  };
  server.silent = true;
  server.say("r", "four");
  server.silent = false;
  server.say("r", "five");
  for (let i = 0; i < 4; i++) {
    await settle();
    clock.advance(20_000);
  }
  await until(() => seen.length === 2);
  assertEquals([seen, refused], [["four", "five"], 3]);
  client.close();
});

Deno.test("Room starts over when the log has changed its epoch", strict, async () => {
  const { client, server, log, room, seen } = await joined();
  log.rewind(2);
  server.say("r", "after the restore");
  await until(() => seen.includes("reset") && texts(room).length === 3);
  assertEquals(texts(room), ["one", "two", "after the restore"]);
  client.close();
});

Deno.test(
  "Room joins again and reloads when the server says the epoch changed",
  strict,
  async () => {
    const { clock, client, server, log, room, seen } = await joined();
    log.rewind(2);
    server.socket.send({ type: "evicted", room: "r", code: "epoch_changed" });
    await until(() => room.status === "joining");
    clock.advance(2_000);
    await until(() => seen.includes("reset") && texts(room).length === 2);
    assertEquals([room.status, texts(room)], ["live", ["one", "two"]]);
    client.close();
  },
);

Deno.test("Room that was closed while it loaded asks for no more", strict, async () => {
  const { clock, client, server } = await scene();
  server.room("r");
  let asked = 0;
  let away = true;
  server.rest.intercept = (path) => {
    if (!away || !path.endsWith("/messages")) return undefined;
    asked++;
    return refusal(503, "unavailable");
  };
  const room = client.room("r");
  room.load().catch(() => {});
  await until(() => asked === 1);
  await settle();
  room.close();
  clock.advance(5_000);
  await settle();
  assertEquals(asked, 1);
  away = false;
  await room.load();
  client.close();
});

Deno.test("Room shows every entry once, however often it arrives", strict, async () => {
  const { client, server, log, seen } = await joined();
  const entry = server.say("r", "four");
  const event = { type: "event", ...visible(entry) } as const;
  server.socket.send([event, event, { type: "event", ...visible(log.entries[0]!) }, event]);
  server.say("r", "five");
  await until(() => seen.length === 2);
  assertEquals(seen, ["four", "five"]);
  client.close();
});

Deno.test("Room passes over entries of kinds it does not know", strict, async () => {
  const { client, server, log, seen } = await joined();
  // A later version of the server may send this.
  const unknown = { type: "message.pinned", actor: OTHER, at: "2030-01-01T00:00:00.000Z" };
  server.deliver(log.append(unknown as never));
  server.say("r", "five");
  await until(() => seen.length === 1);
  assertEquals(seen, ["five"]);
  client.close();
});

Deno.test("Room applies a change to a page that was read before it", strict, async () => {
  const { client, server, room } = await joined();
  const other = client.room("s");
  for (let i = 1; i <= 8; i++) server.say("s", `s${i}`);
  await other.load(4);
  const gate = Promise.withResolvers<undefined>();
  const page = await server.fetch("http://confab.test/v1/rooms/s/messages?before=5&limit=4", {
    headers: { authorization: "Bearer token-0" },
  });
  server.rest.intercept = async (path) => {
    if (!path.endsWith("/messages")) return undefined;
    await gate.promise;
    return page;
  };
  const earlier = other.loadEarlier(4);
  server.deliver(server.room("s").change(OTHER, 3, "s3, edited"));
  await until(() => other.cursor?.seq === 9);
  gate.resolve(undefined);
  assertEquals(await earlier, true);
  assertEquals(texts(other).slice(0, 4), ["s1", "s2", "s3, edited", "s4"]);
  assertEquals([await other.loadEarlier(), room.timeline.messages.length], [false, 3]);
  client.close();
});

Deno.test("Room ends when the server evicts from it, and says why", strict, async () => {
  const { client, server, room } = await joined();
  const evictions: string[] = [];
  room.on("evicted", ({ code }) => evictions.push(code));
  server.socket.send({ type: "evicted", room: "r", code: "removed" });
  await until(() => room.status === "evicted");
  assertEquals(evictions, ["removed"]);
  client.close();
});

Deno.test("Room says when the server refuses the join", strict, async () => {
  const { client, server } = await scene();
  server.intercept = (frame, socket) => {
    if (frame.type !== "join") return false;
    socket.send({ type: "error", id: frame.id, code: "not_found", message: "Not here" });
    return true;
  };
  const error = await assertRejects(() => client.room("r").join(), ConfabClientError);
  assertEquals(error.code, "not_found");
  client.close();
});

Deno.test("Room joins again after a transient refusal", strict, async () => {
  const { clock, client, server } = await scene();
  let refused = false;
  server.intercept = (frame, socket) => {
    if (frame.type !== "join" || refused) return false;
    refused = true;
    const { id } = frame;
    socket.send({ type: "error", id, code: "rate_limited", message: "Later", retryAfter: 1 });
    return true;
  };
  const live = client.room("r").join();
  await until(() => refused);
  await settle();
  clock.advance(1125);
  await live;
  client.close();
});

Deno.test(
  "Room tells the read cursor once for many reads, and never lowers it",
  strict,
  async () => {
    const { clock, client, server, room } = await joined();
    room.markRead(1);
    room.markRead(3);
    room.markRead(2);
    assertEquals([room.read, room.unread], [3, 0]);
    clock.advance(400);
    await until(() => server.room("r").read === 3);
    assertEquals(server.socket.got("read").map(({ seq }) => seq), [3]);
    client.close();
  },
);

Deno.test("Room tells what devices measure", strict, async () => {
  const { client, server, room } = await joined();
  const heard: unknown[] = [];
  room.on("telemetry", (telemetry) => heard.push(telemetry));
  let missed = 0;
  room.on("missed", () => missed++);
  const readings = [{ metric: "t", value: 21.5, at: "2026-03-01T12:00:00.000Z" }];
  const signal = { type: "telemetry" as const, device: "d", readings };
  server.socket.send({ type: "signal", room: "r", signal });
  server.socket.send({ type: "signal", room: "r", signal: { type: "missed" } });
  await until(() => missed === 1);
  assertEquals(heard, [{ device: "d", readings }]);
  client.close();
});

Deno.test("Room says that one is typing at most every three seconds", strict, async () => {
  const { clock, client, server, room } = await joined();
  for (let i = 0; i < 7; i++) {
    room.typing();
    clock.advance(1000);
  }
  await until(() => server.socket.got("typing").length === 3);
  const typing: string[] = [];
  room.on("typing", ({ name }) => typing.push(name));
  server.socket.send({ type: "signal", room: "r", signal: { type: "typing", principal: OTHER } });
  await until(() => typing.length === 1);
  assert(typing[0] === "Other");
  client.close();
});
