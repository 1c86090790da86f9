import { assert, assertEquals } from "@std/assert";
import { chatScene, newDevice, newPrincipal } from "../../testing/chat.ts";
import {
  ask,
  cast,
  code,
  command,
  letExpire,
  logOf,
  typesOf,
} from "../../testing/command_scene.ts";
import { faultyDatabase } from "../../testing/faulty_database.ts";
import type { Principal } from "../auth/principal.ts";
import { DatabaseError } from "../database/mod.ts";
import { newId } from "../ids.ts";
import type { Message } from "../protocol.ts";
import { readOpenCommands } from "../store/command_lists.ts";
import { answerCommand, expireDueCommands } from "./command_answers.ts";
import { cancelCommand, listCommands, sendCommand } from "./commands.ts";
import { removeMember, setMember } from "./members.ts";
import { getMessage, readLog, sendMessage } from "./messages.ts";
import { createRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("the first answer counts, however often and differently it comes", strict, async () => {
  await using scene = await chatScene();
  const all = await cast(scene);
  const { chat } = scene;
  const { room, pump, member } = all;
  const asked = await command(scene, all);
  const { id: commandId } = asked.command!;
  const replies = Array.from(
    { length: 8 },
    (_, i) => answerCommand(chat, pump, { commandId, ok: i % 2 === 0, text: `answer ${i}` }),
  );
  const answers = await Promise.all(replies);
  assertEquals(answers.filter(({ duplicate }) => !duplicate).length, 1);
  assertEquals(new Set(answers.map(({ room, seq, at }) => `${room} ${seq} ${at}`)).size, 1);
  const { seq, at } = answers[0]!;
  assertEquals(typesOf(await logOf(scene, all), asked.seq), ["message.created", "command.updated"]);
  const answer = await getMessage(chat, member, room, seq);
  const winner = answers.findIndex(({ duplicate }) => !duplicate);
  assertEquals([answer.sender.id, answer.replyTo, answer.text, answer.at], [
    pump.id,
    asked.seq,
    `answer ${winner}`,
    at,
  ]);
  const settled = await getMessage(chat, member, room, asked.seq);
  const status = winner % 2 === 0 ? "done" : "failed";
  assertEquals(settled, {
    ...asked,
    updatedSeq: seq + 1,
    command: { ...asked.command!, status, answer: seq },
  });
  const told = (await logOf(scene, all)).at(-1)!.event;
  assert(told.type === "command.updated");
  assertEquals([told.target, told.actor.id, told.message.command], [
    asked.seq,
    pump.id,
    settled.command,
  ]);
});

Deno.test(
  "an answer says something in any case, and takes no client id from the device",
  strict,
  async () => {
    await using scene = await chatScene();
    const all = await cast(scene);
    const { chat } = scene;
    const { room, pump, member } = all;
    const [one, two, three] = [
      await command(scene, all),
      await command(scene, all),
      await command(scene, all),
    ];
    const id = (message: Message) => message.command!.id;
    await sendMessage(chat, pump, room, `command:${id(one)}`, { text: "mine" });
    const stored = async (message: Message, reply: { ok: boolean; data?: number[] }) => {
      const { seq } = await answerCommand(chat, pump, { commandId: id(message), ...reply });
      const { text, data, clientId } = await getMessage(chat, pump, room, seq);
      return { text, data, clientId };
    };
    assertEquals(await stored(one, { ok: true }), {
      text: "Done",
      data: undefined,
      clientId: undefined,
    });
    assertEquals(await stored(two, { ok: false }), {
      text: "Failed",
      data: undefined,
      clientId: `command:${id(two)}`,
    });
    assertEquals(await stored(three, { ok: true, data: [1] }), {
      text: undefined,
      data: [1],
      clientId: `command:${id(three)}`,
    });
    const late = sendMessage(chat, pump, room, `command:${id(two)}`, { text: "Failed" });
    assertEquals(await code(late), "client_id_reused");
    assertEquals((await getMessage(chat, member, room, one.seq)).command!.status, "done");
  },
);

Deno.test(
  "only its own device answers a command, as long as it is in the room",
  strict,
  async () => {
    await using scene = await chatScene();
    const all = await cast(scene);
    const { chat, db } = scene;
    const { room, pump, owner, member } = all;
    const another = await newDevice(db, owner);
    await setMember(chat, owner, room, another.id, "member");
    const { command: first } = await command(scene, all);
    const answered = await command(scene, all);
    const reply = (device: Principal, commandId: string) =>
      code(answerCommand(chat, device, { commandId, ok: true }));
    assertEquals(await reply(another, first!.id), "not_found");
    assertEquals(await reply(member, first!.id), "not_found");
    assertEquals(await reply(pump, newId()), "not_found");
    assertEquals(await reply(pump, answered.command!.id), "ok");
    await removeMember(chat, owner, room, pump.id);
    assertEquals(await reply(pump, first!.id), "not_found");
    // It is told what it did, also after it has gone
    assertEquals(await reply(pump, answered.command!.id), "ok");
    assertEquals(await readOpenCommands(db, null, 0, 10), []);
  },
);

Deno.test(
  "a late answer changes nothing, whether or not the worker was there before",
  strict,
  async () => {
    await using scene = await chatScene();
    const all = await cast(scene);
    const { chat, db } = scene;
    const { pump, room, member } = all;
    const asked = await command(scene, all);
    const { id } = asked.command!;
    await letExpire(scene, id);
    const reply = () => code(answerCommand(chat, pump, { commandId: id, ok: true }));
    assertEquals(await reply(), "command_settled");
    assertEquals(await code(cancelCommand(chat, member, room, id)), "command_settled");
    assertEquals(await readOpenCommands(db, [pump.id], 0, 10), []);
    assertEquals(typesOf(await logOf(scene, all), asked.seq), []);
    assertEquals(await expireDueCommands(chat), 1);
    assertEquals(await reply(), "command_settled");
    const [told, ...more] = (await logOf(scene, all)).filter(({ seq }) => seq > asked.seq);
    assertEquals(more, []);
    assert(told?.event.type === "command.updated");
    assertEquals([told.event.actor.id, told.event.message.command!.status], [pump.id, "expired"]);
  },
);

Deno.test("of an answer, an expiry and a cancel at once, one counts", strict, async () => {
  await using scene = await chatScene();
  const all = await cast(scene);
  const { chat } = scene;
  const { pump, room, member } = all;
  for (let i = 0; i < 20; i++) {
    const asked = await command(scene, all);
    const { id } = asked.command!;
    const [answered, cancelled] = await Promise.all([
      code(answerCommand(chat, pump, { commandId: id, ok: true })),
      code(cancelCommand(chat, member, room, id)),
      letExpire(scene, id).then(() => expireDueCommands(chat)),
      expireDueCommands(chat),
    ]);
    const { command: after, updatedSeq } = await getMessage(chat, member, room, asked.seq);
    const won = { done: answered === "ok", cancelled: cancelled === "ok" };
    assertEquals(won, { done: after!.status === "done", cancelled: after!.status === "cancelled" });
    assert(after!.status !== "queued" && after!.status !== "failed");
    const entries = (await readLog(chat, member, room, { after: asked.seq }, 200)).entries;
    assertEquals(
      entries.map(({ event }) => event.type),
      after!.status === "done" ? ["message.created", "command.updated"] : ["command.updated"],
    );
    assertEquals(entries.at(-1)!.seq, updatedSeq);
  }
});

Deno.test("two workers settle what is due once, in every room", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const casts = await Promise.all([cast(scene), cast(scene), cast(scene)]);
  const queued: Message[] = [];
  for (const all of casts) {
    for (let i = 0; i < 40; i++) queued.push(await command(scene, all));
  }
  await db.query("update commands set expires_at = now() - random() * interval '1 minute'");
  const kept = await command(scene, casts[0]!);
  const heads = await Promise.all(casts.map(async (all) => (await logOf(scene, all)).length));
  const totals = await Promise.all([expireDueCommands(chat), expireDueCommands(chat)]);
  assertEquals(totals[0] + totals[1], queued.length);
  for (const [i, all] of casts.entries()) {
    const added = (await logOf(scene, all)).slice(heads[i]);
    assertEquals(added.map(({ event }) => event.type), Array(40).fill("command.updated"));
    const targets = added.flatMap(({ event }) => "target" in event ? [event.target] : []);
    assertEquals(new Set(targets).size, 40);
  }
  const { items } = await listCommands(chat, casts[0]!.owner, casts[0]!.room, {
    status: "queued",
  }, { limit: 10 });
  assertEquals(items.map(({ id }) => id), [kept.command!.id]);
});

Deno.test("a room that is locked keeps nobody else's commands from expiring", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const [held, free] = [await cast(scene), await cast(scene)];
  await command(scene, held);
  const other = await command(scene, free);
  await db.query("update commands set expires_at = now() - interval '1 s'");
  await db.query("update commands set expires_at = now() - interval '1 h' where room_id = $1", [
    held.room,
  ]);
  let locked = true;
  const locking = faultyDatabase(db, {
    before: (_, values) => {
      if (locked && values[0] === held.room) throw new DatabaseError("busy", "locked on purpose");
    },
  });
  const node = { ...chat, db: locking };
  assertEquals(await code(expireDueCommands(node)), "unavailable");
  const { status } = (await getMessage(chat, free.owner, free.room, other.seq)).command!;
  assertEquals(status, "expired");
  locked = false;
  assertEquals(await expireDueCommands(node), 1);
});

Deno.test("the sender and the room's admins take a command back, once", strict, async () => {
  await using scene = await chatScene();
  const all = await cast(scene);
  const { chat } = scene;
  const { room, pump, member, admin, reader, stranger, owner } = all;
  const asked = await command(scene, all);
  const { id } = asked.command!;
  const another = await newPrincipal(scene.db);
  await setMember(chat, owner, room, another.id, "member");
  const cancel = (actor: Principal, at = room) => cancelCommand(chat, actor, at, id);
  assertEquals(await code(cancel(another)), "forbidden");
  assertEquals(await code(cancel(reader)), "read_only");
  assertEquals(await code(cancel(stranger)), "not_found");
  const { id: elsewhere } = await createRoom(chat, owner, { name: "2", visibility: "private" });
  assertEquals(await code(cancel(owner, elsewhere)), "not_found");
  const done = await cancel(member);
  assertEquals([done.duplicate, done.message.command!.status], [false, "cancelled"]);
  const again = await cancel(admin);
  assertEquals([again.duplicate, again.message.updatedSeq], [true, done.message.updatedSeq]);
  assertEquals(
    await code(answerCommand(chat, pump, { commandId: id, ok: true })),
    "command_settled",
  );
  const next = await command(scene, all);
  assertEquals(await code(cancelCommand(chat, admin, room, next.command!.id)), "ok");
});

Deno.test(
  "who left the room, or has a lower role by now, is not obeyed later",
  strict,
  async () => {
    await using scene = await chatScene();
    const all = await cast(scene);
    const { chat, db } = scene;
    const { room, pump, owner, admin, member } = all;
    const lasting = async (sender: Principal) =>
      (await sendCommand(chat, sender, room, pump.id, ask({ timeoutSeconds: 86_400 }))).message;
    const kept = await lasting(owner);
    const ended = [await lasting(member), await lasting(admin)];
    await setMember(chat, owner, room, member.id, "admin");
    const open = async () => (await readOpenCommands(db, [pump.id], 0, 10)).map(({ seq }) => seq);
    assertEquals(await open(), [kept, ...ended].map(({ seq }) => seq));
    await removeMember(chat, owner, room, member.id);
    await setMember(chat, owner, room, admin.id, "member");
    assertEquals(await open(), [kept.seq]);
    for (const { command } of ended) {
      const late = answerCommand(chat, pump, { commandId: command!.id, ok: true });
      assertEquals(await code(late), "command_settled");
    }
    assertEquals(await expireDueCommands(chat), 2);
    const after = await Promise.all(
      [kept, ...ended].map(({ seq }) => getMessage(chat, owner, room, seq)),
    );
    assertEquals(after.map(({ command }) => command!.status), ["queued", "expired", "expired"]);
  },
);
