import { assertEquals, assertRejects } from "@std/assert";
import { ConfabClientError } from "./errors.ts";
import type { OutboxItem, OutboxStore } from "./outbox.ts";
import { settle, until } from "./testing/manual_clock.ts";
import { scene } from "./testing/scene.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const stored = (server: Awaited<ReturnType<typeof scene>>["server"]) =>
  server.room("r").messages().map(({ text }) => text);

Deno.test("Outbox sends in order, one at a time", strict, async () => {
  const { client, server } = await scene();
  const room = client.room("r");
  const texts = Array.from({ length: 20 }, (_, i) => `m${i}`);
  const oks = await Promise.all(texts.map((text) => room.send({ text })));
  assertEquals(oks.map(({ seq }) => seq), texts.map((_, i) => i + 1));
  assertEquals(stored(server), texts);
  await until(() => room.outbox.items.length === 0);
  client.close();
});

Deno.test(
  "Outbox keeps order and stores once when answers are lost with the connection",
  strict,
  async () => {
    const { clock, client, server } = await scene();
    const room = client.room("r");
    const seen: (string | undefined)[] = [];
    room.on("message", ({ text }) => seen.push(text));
    let sends = 0;
    server.intercept = (frame, socket) => {
      if (frame.type !== "send" || ++sends % 3 !== 0) return false;
      server.room("r").send({ id: "me", kind: "user", name: "Me" }, frame.clientId, frame);
      socket.close();
      return true;
    };
    const texts = Array.from({ length: 10 }, (_, i) => `m${i}`);
    let done = false;
    const sent = Promise.all(texts.map((text) => room.send({ text }))).then(() => (done = true));
    while (!done) {
      await settle();
      client.retryNow();
      clock.advance(1000);
    }
    await sent;
    assertEquals(stored(server), texts);
    await until(() => seen.length === 10);
    assertEquals(seen, texts);
    client.close();
  },
);

for (const code of ["rate_limited", "outcome_unknown", "unavailable", "internal"]) {
  Deno.test(`Outbox repeats with the same clientId after ${code}`, strict, async () => {
    const { clock, client, server } = await scene();
    const ids: string[] = [];
    server.intercept = (frame, socket) => {
      if (frame.type !== "send") return false;
      ids.push(frame.clientId);
      if (ids.length > 2) return false;
      socket.send({ type: "error", id: frame.id, code, message: "Not now", retryAfter: 2 });
      return true;
    };
    const room = client.room("r");
    const sent = room.send({ text: "hello" });
    await until(() => ids.length === 1);
    await settle();
    clock.advance(1999);
    await settle();
    assertEquals(ids.length, 1);
    clock.advance(1000);
    await until(() => ids.length === 2);
    await settle();
    clock.advance(5000);
    assertEquals((await sent).seq, 1);
    assertEquals([new Set(ids).size, stored(server)], [1, ["hello"]]);
    client.close();
  });
}

Deno.test(
  "Outbox keeps a refused message for another try and goes on with the next",
  strict,
  async () => {
    const { client, server } = await scene();
    let refuse = true;
    server.intercept = (frame, socket) => {
      if (frame.type !== "send" || frame.text !== "bad" || !refuse) return false;
      socket.send({ type: "error", id: frame.id, code: "read_only", message: "You may read only" });
      return true;
    };
    const room = client.room("r");
    const bad = assertRejects(() => room.send({ text: "bad" }, "bad-1"), ConfabClientError);
    await room.send({ text: "good" });
    assertEquals((await bad).code, "read_only");
    const [item] = room.outbox.items;
    assertEquals([item?.state, item?.error?.code], ["failed", "read_only"]);
    refuse = false;
    room.outbox.retry("bad-1");
    await until(() => room.outbox.items.length === 0);
    assertEquals(stored(server), ["good", "bad"]);
    client.close();
  },
);

Deno.test(
  "Outbox gives up on a message that always ends in an internal error",
  strict,
  async () => {
    const { clock, client, server } = await scene();
    server.intercept = (frame, socket) => {
      if (frame.type !== "send") return false;
      socket.send({ type: "error", id: frame.id, code: "internal", message: "Oops" });
      return true;
    };
    const sent = assertRejects(() => client.room("r").send({ text: "poison" }), ConfabClientError);
    for (let tries = 1; tries <= 5; tries++) {
      await until(() => server.socket.got("send").length === tries);
      await settle();
      clock.advance(5000);
    }
    assertEquals((await sent).code, "internal");
    client.close();
  },
);

Deno.test("Outbox sends after a reload what was not sent before it", strict, async () => {
  const kept = new Map<string, OutboxItem>();
  const outboxStore: OutboxStore = {
    load: () => [...kept.values()],
    put: (_room, item) => void kept.set(item.clientId, structuredClone(item)),
    remove: (_room, clientId) => void kept.delete(clientId),
  };
  const before = await scene({ outboxStore });
  before.server.intercept = (frame) => frame.type === "send";
  const attachments = [{ url: "https://files.example/a.jpg", size: 1 }];
  before.client.room("r").send({ text: "first", attachments }).catch(() => {});
  before.client.room("r").send({ text: "second" }).catch(() => {});
  await until(() => before.server.socket.got("send").length === 1);
  before.client.close();
  const after = await scene({ outboxStore });
  await after.client.room("r").join();
  await until(() => stored(after.server).length === 2);
  assertEquals(stored(after.server), ["first", "second"]);
  const messages = after.server.room("r").messages();
  assertEquals(messages.map((message) => message.attachments), [attachments, []]);
  await until(() => kept.size === 0);
  after.client.close();
});

Deno.test("Outbox holds no more than it may", strict, async () => {
  const { client, server } = await scene({ maxOutboxItems: 2 });
  server.intercept = (frame) => frame.type === "send";
  const room = client.room("r");
  room.send({ text: "a" }).catch(() => {});
  room.send({ text: "b" }).catch(() => {});
  const error = await assertRejects(() => room.send({ text: "c" }), ConfabClientError);
  assertEquals(error.code, "outbox_full");
  client.close();
});

Deno.test("Room repeats an edit with the same clientId until it is answered", strict, async () => {
  const { clock, client, server } = await scene();
  const room = client.room("r");
  await room.load();
  const attachments = [{ url: "https://files.example/a.jpg" }];
  const { seq } = await room.send({ text: "helo", attachments });
  const ids: (string | undefined)[] = [];
  server.intercept = (frame, socket) => {
    if (frame.type !== "edit") return false;
    ids.push(frame.clientId);
    if (ids.length === 1) {
      socket.send({ type: "error", id: frame.id, code: "outcome_unknown", message: "" });
    }
    return ids.length === 1;
  };
  const edited = room.edit(seq, { text: "hello" });
  await until(() => ids.length === 1);
  await settle();
  clock.advance(2000);
  await edited;
  await until(() => room.timeline.messages[0]?.text === "hello");
  assertEquals(new Set(ids).size, 1);
  assertEquals(room.timeline.messages[0]?.attachments, attachments);
  await room.delete(seq);
  await until(() => room.timeline.messages[0]?.deletedAt !== undefined);
  assertEquals(room.timeline.messages[0]?.attachments, []);
  client.close();
});
