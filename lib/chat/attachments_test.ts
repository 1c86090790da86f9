import { assert, assertEquals, assertRejects } from "@std/assert";
import { chatScene, newPrincipal } from "../../testing/chat.ts";
import { ConfabError } from "../errors.ts";
import type { Attachment, LogEntry, MessageBody } from "../protocol.ts";
import { setMember } from "./members.ts";
import {
  deleteMessage,
  editMessage,
  getMessage,
  listMessages,
  readLog,
  sendMessage,
} from "./messages.ts";
import { createRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const PICTURE: Attachment = {
  url: "https://files.example/secret.jpg?sig=1",
  name: "Küche.jpg",
  type: "image/jpeg",
  size: 2 ** 40,
  sha256: "0123456789abcdef".repeat(4),
};
const ANOTHER: Attachment = { url: "https://files.example/secret.mp4" };

async function roomScene() {
  await using stack = new AsyncDisposableStack();
  const scene = stack.use(await chatScene());
  const { chat, db } = scene;
  const [owner, member] = [await newPrincipal(db), await newPrincipal(db)];
  const { id: room } = await createRoom(chat, owner, { name: "Room", visibility: "private" });
  await setMember(chat, owner, room, member.id, "member");
  const seen: LogEntry[] = [];
  const entries = (some: LogEntry[]) => void seen.push(...some);
  await chat.bus.serve(room, { entries, head() {}, signal() {} });
  const send = (clientId: string, body: MessageBody) =>
    sendMessage(chat, member, room, clientId, body);
  const opened = stack.move();
  const dispose = () => opened.disposeAsync();
  return { chat, db, owner, member, room, seen, send, [Symbol.asyncDispose]: dispose };
}

Deno.test(
  "Attachments are told and read as they were sent, also without text",
  strict,
  async () => {
    await using scene = await roomScene();
    const { chat, owner, room, seen, send } = scene;
    const files = [PICTURE, ANOTHER];
    // At once: one batch holds sends with attachments and without.
    const [plain, both, alone, empty] = await Promise.all([
      send("1", { text: "none" }),
      send("2", { text: "two", attachments: files }),
      send("3", { attachments: [ANOTHER] }),
      send("4", { text: "empty", attachments: [] }),
    ]);
    const expected = [[plain, []], [both, files], [alone, [ANOTHER]], [empty, []]] as const;
    for (const [{ seq }, attachments] of expected) {
      assertEquals((await getMessage(chat, owner, room, seq)).attachments, attachments);
    }
    const { entries } = await readLog(chat, owner, room, { after: 2 }, 50);
    const stored = entries.map(({ event }) => "message" in event ? event.message.attachments : []);
    assertEquals(stored, [[], files, [ANOTHER], []]);
    const announced = seen.map(({ event }) => "message" in event ? event.message : undefined);
    assertEquals(announced.map((message) => message?.attachments), stored);
    assertEquals("text" in announced[2]!, false);
  },
);

Deno.test("The same clientId with other attachments is another message", strict, async () => {
  await using scene = await roomScene();
  const { send } = scene;
  const first = await send("1", { text: "x", attachments: [PICTURE] });
  const again = await send("1", { text: "x", attachments: [{ ...PICTURE }] });
  assertEquals([again.seq, again.duplicate], [first.seq, true]);
  for (const attachments of [[], [ANOTHER], [PICTURE, ANOTHER], [{ ...PICTURE, size: 1 }]]) {
    const error = await assertRejects(() => send("1", { text: "x", attachments }), ConfabError);
    assertEquals(error.code, "client_id_reused");
  }
});

Deno.test("An edit leaves attachments, and a deletion leaves none anywhere", strict, async () => {
  await using scene = await roomScene();
  const { chat, db, owner, member, room, seen, send } = scene;
  const body = { text: "first", attachments: [PICTURE, ANOTHER] };
  const { seq } = await send("1", body);
  const edited = await editMessage(chat, member, room, seq, { text: "second" });
  assertEquals([edited.message.text, edited.message.attachments], ["second", body.attachments]);
  const { event } = seen.at(-1)!;
  assert(event.type === "message.edited");
  assertEquals(event.message.attachments, body.attachments, "the entry has what it is now");

  const gone = await deleteMessage(chat, member, room, seq);
  assertEquals(gone.message.attachments, []);
  const everything = JSON.stringify([
    await listMessages(chat, owner, room, {}, 200),
    await readLog(chat, owner, room, { after: 0 }, 200),
    await getMessage(chat, member, room, seq),
    seen.at(-1),
    await db.query("select * from entries"),
  ]);
  assert(!everything.includes("secret"), everything);
  assertEquals((await send("1", body)).duplicate, true, "the hash stays");
});

Deno.test("Who may not see a message is not shown its attachments by an edit", strict, async () => {
  await using scene = await roomScene();
  const { chat, db, owner, member, room, send } = scene;
  const { seq } = await send("1", { attachments: [PICTURE] });
  await db.query("update members set visible_from = $2 where principal_id = $1", [owner.id, seq]);
  assertEquals((await getMessage(chat, owner, room, seq)).attachments, [PICTURE]);
  await db.query("update members set visible_from = $2 where principal_id = $1", [
    owner.id,
    seq + 1,
  ]);
  await editMessage(chat, member, room, seq, { text: "edited" });
  const { entries } = await readLog(chat, owner, room, { after: seq }, 50);
  assertEquals(entries.map(({ event }) => event.type), ["message.edited"]);
  assert(!JSON.stringify(entries).includes("secret"), JSON.stringify(entries));
});

Deno.test("A node of the version before appends and deletes on this schema", strict, async () => {
  await using scene = await roomScene();
  const { chat, db, member, room, send } = scene;
  const append = (key: string) =>
    db.query<{ outcome: string; seq: number }>(
      `select ord, outcome, seq, at from append_messages(
         $1::uuid[], $2::uuid[], $3::text[], $4::uuid[],
         $5::text[], $6::text[], $7::text[], $8::bigint[])`,
      [[room], [member.id], [key], [crypto.randomUUID()], ["old"], [null], [null], [null]],
    );
  const [stored] = await append("old");
  assertEquals([stored?.outcome, stored?.seq], ["ok", 3]);
  assertEquals((await append("old"))[0]?.outcome, "client_id_reused");
  const { seq } = await send("1", { attachments: [PICTURE] });
  await db.query("select * from change_message($1, $2, $3, true, null, null, null, null, null)", [
    room,
    member.id,
    seq,
  ]);
  const { attachments, deletedAt } = await getMessage(chat, member, room, seq);
  assertEquals([attachments, deletedAt !== undefined], [[], true]);
});
