import { assert, assertEquals } from "@std/assert";
import { type ChatScene, chatScene, newPrincipal } from "../../testing/chat.ts";
import { faultyDatabase } from "../../testing/faulty_database.ts";
import { range } from "../../testing/subscriber.ts";
import { recorder } from "../bus/contract.ts";
import { DatabaseError } from "../database/mod.ts";
import { ConfabError } from "../errors.ts";
import type { MessageBody } from "../protocol.ts";
import { joinRoom, removeMember, setMember } from "./members.ts";
import {
  deleteMessage,
  editMessage,
  getMessage,
  listMessages,
  readLog,
  sendMessage,
} from "./messages.ts";
import { changeRoom, createRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

async function code(promise: Promise<unknown>): Promise<string> {
  return await promise.then(() => "ok", (error) => {
    if (error instanceof ConfabError) return error.code;
    throw error;
  });
}

async function cast(scene: ChatScene) {
  const { chat, db } = scene;
  const [owner, admin, member, reader, stranger] = [
    await newPrincipal(db, "user", "Owner"),
    await newPrincipal(db),
    await newPrincipal(db, "user", "Member"),
    await newPrincipal(db),
    await newPrincipal(db),
  ] as const;
  const { id: room } = await createRoom(chat, owner, { name: "Room", visibility: "public" });
  await setMember(chat, owner, room, admin.id, "admin");
  await setMember(chat, owner, room, member.id, "member");
  await setMember(chat, owner, room, reader.id, "reader");
  let n = 0;
  const say = async (sender = member, body: MessageBody = { text: "first text" }) =>
    (await sendMessage(chat, sender, room, `s${++n}`, body)).seq;
  return { owner, admin, member, reader, stranger, room, say };
}

Deno.test("Only members with a voice write", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const { owner, reader, stranger, room } = await cast(scene);
  const device = await newPrincipal(db, "device");
  const send = (who = reader) => code(sendMessage(chat, who, room, "x", { text: "x" }));
  assertEquals([await send(), await send(stranger), await send(device)], [
    "read_only",
    "not_a_member",
    "not_found",
  ]);
  await changeRoom(chat, owner, room, { visibility: "private" });
  assertEquals(await send(stranger), "not_found");
});

Deno.test("A reply names a message of the room", strict, async () => {
  await using scene = await chatScene();
  const { chat } = scene;
  const { owner, room, say } = await cast(scene);
  const seq = await say();
  const reply = await say(owner, { text: "yes", replyTo: seq });
  assertEquals((await getMessage(chat, owner, room, reply)).replyTo, seq);
  for (const replyTo of [1, seq + 100]) {
    const sent = sendMessage(chat, owner, room, "r", { text: "no", replyTo });
    assertEquals(await code(sent), "invalid_reply");
  }
  assertEquals(await say(), reply + 1);
});

Deno.test("An edit replaces the content and keeps the seq", strict, async () => {
  await using scene = await chatScene();
  const { chat } = scene;
  const { member, owner, room, say } = await cast(scene);
  const seq = await say(member, { text: "a", data: { x: 1 }, metadata: { m: 1 } });
  const changed = await editMessage(chat, member, room, seq, { text: "b" }, "edit-1");
  assertEquals([changed.seq, changed.duplicate], [seq + 1, false]);
  const { message } = changed;
  assertEquals([message.seq, message.text, message.data, message.metadata], [
    seq,
    "b",
    undefined,
    undefined,
  ]);
  assertEquals([message.updatedSeq, message.editedAt !== undefined], [seq + 1, true]);
  assertEquals(message.clientId !== undefined, true);
  assertEquals((await getMessage(chat, owner, room, seq)).clientId, undefined);
  // The same again answers with the first result, also after other edits.
  const repeat = () => editMessage(chat, member, room, seq, { text: "b" }, "edit-1");
  assertEquals([(await repeat()).seq, (await repeat()).duplicate], [seq + 1, true]);
  await editMessage(chat, member, room, seq, { text: "c" }, "edit-2");
  const late = await repeat();
  assertEquals([late.seq, late.duplicate, late.message.text], [seq + 1, true, "c"]);
  const other = editMessage(chat, member, room, seq, { text: "d" }, "edit-1");
  assertEquals(await code(other), "client_id_reused");
  assertEquals(
    await code(sendMessage(chat, member, room, "edit-1", { text: "b" })),
    "client_id_reused",
  );
  const same = await editMessage(chat, member, room, seq, { text: "c" });
  assertEquals([same.seq, same.duplicate], [seq + 2, true]);
});

Deno.test("Authors edit and delete, admins delete, others do neither", strict, async () => {
  await using scene = await chatScene();
  const { chat } = scene;
  const { owner, admin, member, reader, stranger, room, say } = await cast(scene);
  const seq = await say(member);
  for (const who of [owner, admin]) {
    assertEquals(await code(editMessage(chat, who, room, seq, { text: "x" })), "forbidden");
  }
  const other = await say(owner);
  assertEquals(await code(deleteMessage(chat, member, room, other)), "forbidden");
  assertEquals(await code(deleteMessage(chat, reader, room, seq)), "read_only");
  assertEquals(await code(deleteMessage(chat, stranger, room, seq)), "not_a_member");
  assertEquals(await code(deleteMessage(chat, owner, room, 1)), "not_found");
  assertEquals(await code(editMessage(chat, owner, room, 999, { text: "x" })), "not_found");
  assertEquals((await deleteMessage(chat, admin, room, seq)).duplicate, false);
});

Deno.test("A deleted message keeps its seq and leaves no text anywhere", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const { member, owner, room, say } = await cast(scene);
  const seq = await say(member, {
    text: "secret one",
    data: "secret two",
    metadata: { a: "secret" },
  });
  await editMessage(chat, member, room, seq, { text: "secret three" });
  const seen = recorder();
  await chat.bus.serve(room, seen);
  const gone = await deleteMessage(chat, member, room, seq, "del");
  assertEquals([gone.seq, gone.message.seq, gone.message.updatedSeq], [seq + 2, seq, seq + 2]);
  assert(gone.message.deletedAt !== undefined);
  const again = await deleteMessage(chat, owner, room, seq);
  assertEquals([again.seq, again.duplicate], [seq + 2, true]);
  assertEquals((await deleteMessage(chat, member, room, seq, "del")).duplicate, true);
  assertEquals(await code(editMessage(chat, member, room, seq, { text: "x" })), "message_deleted");
  const everything = JSON.stringify([
    await listMessages(chat, owner, room, {}, 200),
    await readLog(chat, owner, room, { after: 0 }, 200),
    await getMessage(chat, member, room, seq),
    gone,
    await db.query("select * from entries"),
  ]);
  assert(!everything.includes("secret"), everything);
  // A repeat of the send that made it does not bring it back.
  const repeat = { text: "secret one", data: "secret two", metadata: { a: "secret" } };
  const sent = await sendMessage(chat, member, room, "s1", repeat);
  assertEquals([sent.seq, sent.duplicate], [seq, true]);
  assertEquals(seen.seqs, [seq + 2]);
});

Deno.test(
  "Concurrent edits and deletes of one message happen one after the other",
  strict,
  async () => {
    await using scene = await chatScene();
    const { chat } = scene;
    const { member, room, say } = await cast(scene);
    const seq = await say();
    const results = await Promise.allSettled([
      ...range(1, 10).map((n) => editMessage(chat, member, room, seq, { text: `${n}` }, `e${n}`)),
      deleteMessage(chat, member, room, seq, "d"),
      ...range(1, 10).map((n) => editMessage(chat, member, room, seq, { text: `${n}` }, `e${n}`)),
    ]);
    for (const result of results) {
      if (result.status === "rejected") assertEquals(result.reason.code, "message_deleted");
    }
    const { message } = await deleteMessage(chat, member, room, seq);
    const { entries, head } = await readLog(chat, member, room, { after: seq }, 200);
    assertEquals(entries.map((entry) => entry.seq), range(seq + 1, head));
    assertEquals(message.updatedSeq, head);
  },
);

Deno.test("Pages of messages come from either end and never repeat", strict, async () => {
  await using scene = await chatScene();
  const { chat } = scene;
  const { owner, room, say } = await cast(scene);
  for (let n = 0; n < 10; n++) {
    await say();
    if (n % 3 === 0) await changeRoom(chat, owner, room, { topic: `${n}` });
  }
  const seqs = [5, 7, 8, 9, 11, 12, 13, 15, 16, 17];
  const page = async (range: { before?: number; after?: number }) => {
    const { messages, hasMore, head } = await listMessages(chat, owner, room, range, 4);
    assertEquals(head, 18);
    return [messages.map(({ seq }) => seq), hasMore];
  };
  assertEquals(await page({}), [seqs.slice(6), true]);
  assertEquals(await page({ before: 13 }), [seqs.slice(2, 6), true]);
  assertEquals(await page({ before: 8 }), [seqs.slice(0, 2), false]);
  assertEquals(await page({ before: 1 }), [[], false]);
  assertEquals(await page({ after: 0 }), [seqs.slice(0, 4), true]);
  assertEquals(await page({ after: 13 }), [seqs.slice(7), false]);
  assertEquals(await page({ after: 99 }), [[], false]);
});

Deno.test("readLog() gives every entry after a cursor, or says to load again", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const { owner, stranger, room, say } = await cast(scene);
  for (let n = 0; n < 6; n++) await say();
  const epoch = chat.epoch.value;
  const read = async (after: number, limit = 200) => {
    const page = await readLog(chat, owner, room, { epoch, after }, limit);
    return [page.entries.map(({ seq }) => seq), page.hasMore, page.head];
  };
  assertEquals(await read(0), [range(1, 10), false, 10]);
  assertEquals(await read(4, 3), [[5, 6, 7], true, 10]);
  assertEquals(await read(7, 3), [[8, 9, 10], false, 10]);
  assertEquals(await read(10), [[], false, 10]);
  const failing = (after: number, epoch?: string) =>
    code(readLog(chat, owner, room, { after, ...(epoch === undefined ? {} : { epoch }) }, 5));
  assertEquals(await failing(11), "epoch_changed");
  assertEquals(await failing(5, "another"), "epoch_changed");
  await db.query("update rooms set floor = 3 where id = $1", [room]);
  const why = (after: number, epoch?: string) =>
    readLog(chat, owner, room, { after, ...(epoch === undefined ? {} : { epoch }) }, 5)
      .catch((error: Error) => error.message);
  assertEquals(
    await why(11),
    "The cursor is ahead of the log, which ends at 10; load the room again",
  );
  assertEquals(await why(2), "The log begins after 3 by now; load the room again");
  assertEquals(await why(11, "another"), "The history was reset; load the room again");
  assertEquals([await failing(2), await failing(3)], ["epoch_changed", "ok"]);
  assertEquals(await code(readLog(chat, stranger, room, { after: 3 }, 5)), "ok");
  await changeRoom(chat, owner, room, { visibility: "private" });
  assertEquals(await code(readLog(chat, stranger, room, { after: 3 }, 5)), "not_found");
});

Deno.test("A member sees nothing from before the history they may read", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const { owner, member, stranger, room, say } = await cast(scene);
  const old = await say(member, { text: "before" });
  await say(owner, { text: "before" });
  await joinRoom(chat, stranger, room);
  const from = 7;
  await db.query("update members set visible_from = $1 where principal_id = $2", [
    from,
    stranger.id,
  ]);
  await editMessage(chat, member, room, old, { text: "before, edited" });
  const fresh = await say(member, { text: "after" });
  const log = await readLog(chat, stranger, room, { after: 0 }, 50);
  assertEquals(log.entries.map(({ seq }) => seq), range(from, fresh));
  const page = await listMessages(chat, stranger, room, {}, 50);
  assertEquals(page.messages.map(({ seq }) => seq), [fresh]);
  assert(!JSON.stringify([log, page]).includes("before"), JSON.stringify(log));
  assertEquals(await code(getMessage(chat, stranger, room, old)), "not_found");
  const reply = sendMessage(chat, stranger, room, "r", { text: "x", replyTo: old });
  assertEquals(await code(reply), "invalid_reply");
  const { entries } = await readLog(chat, owner, room, { after: 0 }, 50);
  assert(JSON.stringify(entries).includes("before, edited"));
});

Deno.test("A change that cannot be read back is still told by its number", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const { member, room, say } = await cast(scene);
  const seq = await say();
  const seen = recorder();
  await chat.bus.serve(room, seen);
  const broken = faultyDatabase(db, {
    before: (text) => {
      if (text.includes("log_page")) throw new DatabaseError("unavailable", "away on purpose");
    },
  });
  const context = { ...chat, db: broken };
  await editMessage(context, member, room, seq, { text: "b" }).catch(() => {});
  assertEquals([seen.heads, seen.seqs], [[seq + 1], []]);
});

Deno.test("An edit stands for whoever is removed right after it", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const { owner, member, room, say } = await cast(scene);
  await changeRoom(chat, owner, room, { visibility: "private" });
  const seq = await say();
  const removing = faultyDatabase(db, {
    async after(text) {
      if (text.includes("change_message")) await removeMember(chat, owner, room, member.id);
    },
  });
  const edit = await editMessage({ ...chat, db: removing }, member, room, seq, { text: "second" });
  assertEquals([edit.message.text, edit.message.updatedSeq], ["second", edit.seq]);
  assertEquals(await code(getMessage(chat, member, room, seq)), "not_found");
});

Deno.test("Whoever stored something learns so, also after their removal", strict, async () => {
  await using scene = await chatScene();
  const { chat } = scene;
  const { owner, member, room } = await cast(scene);
  await changeRoom(chat, owner, room, { visibility: "private" });
  const send = (clientId: string, text = "first") =>
    sendMessage(chat, member, room, clientId, { text });
  const { seq } = await send("c1");
  const edit = await editMessage(chat, member, room, seq, { text: "second" }, "e1");
  await removeMember(chat, owner, room, member.id);
  const again = await send("c1");
  assertEquals([again.seq, again.duplicate], [seq, true]);
  const repeated = await editMessage(chat, member, room, seq, { text: "second" }, "e1");
  assertEquals([repeated.seq, repeated.duplicate], [edit.seq, true]);
  assertEquals(await code(send("c1", "another")), "client_id_reused");
  assertEquals(await code(send("c2")), "not_found");
  assertEquals(
    await code(editMessage(chat, member, room, seq, { text: "third" }, "e2")),
    "not_found",
  );
});
