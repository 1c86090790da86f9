import { assert, assertEquals } from "@std/assert";
import { type ChatScene, chatScene, newDevice, newPrincipal } from "../../testing/chat.ts";
import { until } from "../../testing/until.ts";
import type { Principal } from "../auth/principal.ts";
import type { CommandDefinition } from "../command_schemas.ts";
import { ConfabError } from "../errors.ts";
import { newId } from "../ids.ts";
import type { LogEntry, Message, RoomId, RoomRole } from "../protocol.ts";
import { readOpenCommands } from "../store/command_lists.ts";
import { answerCommand, expireDueCommands } from "./command_answers.ts";
import { setDefinitions } from "./command_definitions.ts";
import {
  cancelCommand,
  type CommandRequest,
  listCommands,
  MAX_OPEN_COMMANDS,
  sendCommand,
} from "./commands.ts";
import { removeMember, setMember } from "./members.ts";
import { deleteMessage, getMessage, readLog, sendMessage } from "./messages.ts";
import { publicError } from "./outcome.ts";
import { createRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

async function code(promise: Promise<unknown>): Promise<string> {
  return await promise.then(() => "ok", (error) => {
    const shown = publicError(error);
    if (shown instanceof ConfabError) return shown.code;
    throw error;
  });
}

type Cast = Record<RoomRole | "stranger", Principal> & { room: RoomId; pump: Principal };

/** A room with somebody in every role and a device of the owner's. */
async function cast({ chat, db }: ChatScene): Promise<Cast> {
  const owner = await newPrincipal(db, "user", "Olga");
  const { id: room } = await createRoom(chat, owner, { name: "Plant", visibility: "private" });
  const people = {
    owner,
    admin: await newPrincipal(db),
    member: await newPrincipal(db, "user", "Mia"),
    reader: await newPrincipal(db),
    stranger: await newPrincipal(db),
  };
  for (const role of ["admin", "member", "reader"] as const) {
    await setMember(chat, owner, room, people[role].id, role);
  }
  const pump = await newDevice(db, owner);
  await db.query("update principals set name = 'pump 1' where id = $1", [pump.id]);
  await setMember(chat, owner, room, pump.id, "reader");
  return { ...people, room, pump };
}

/** A request with a fresh clientId. */
function ask(changes: Partial<CommandRequest> = {}): CommandRequest {
  return { clientId: newId(), name: "start", args: {}, timeoutSeconds: 30, ...changes };
}

async function command(scene: ChatScene, { room, pump, member }: Cast): Promise<Message> {
  return (await sendCommand(scene.chat, member, room, pump.id, ask())).message;
}

/** Lets the time of a command be over. */
async function letExpire({ db }: ChatScene, id: string): Promise<void> {
  await db.query(
    "update commands set expires_at = clock_timestamp() - interval '1 second' where id = $1",
    [id],
  );
}

async function logOf({ chat }: ChatScene, { room, owner }: Cast): Promise<LogEntry[]> {
  return (await readLog(chat, owner, room, { after: 0 }, 200)).entries;
}

const typesOf = (entries: LogEntry[], after: number) =>
  entries.filter(({ seq }) => seq > after).map(({ event }) => event.type);

Deno.test(
  "a command is a message that its sender repeats without storing it twice",
  strict,
  async () => {
    await using scene = await chatScene();
    const all = await cast(scene);
    const { room, pump, member } = all;
    const request = ask({ args: { speed: 3, mode: "slow" }, timeoutSeconds: 60 });
    const send = (changes: Partial<CommandRequest> = {}) =>
      sendCommand(scene.chat, member, room, pump.id, { ...request, ...changes });
    const before = Date.now();
    const { message, duplicate } = await send();
    assertEquals(duplicate, false);
    assertEquals(message.text, '/cmd "pump 1" start mode="slow" speed=3');
    assertEquals([message.sender.id, message.clientId], [member.id, request.clientId]);
    const { id, expiresAt, ...rest } = message.command!;
    assertEquals(rest, { device: pump.id, name: "start", args: request.args, status: "queued" });
    assert(Math.abs(Date.parse(expiresAt) - before - 60_000) < 10_000, expiresAt);
    assertEquals(expiresAt, new Date(expiresAt).toISOString());

    assertEquals(await send(), { message, duplicate: true });
    assertEquals(await send({ confirm: true }), { message, duplicate: true });
    for (const other of [{ name: "stop" }, { args: {} }, { timeoutSeconds: 61 }, { text: "x" }]) {
      assertEquals(await code(send(other)), "client_id_reused");
    }
    const asMessage = sendMessage(scene.chat, member, room, request.clientId, {
      data: { device: pump.id, name: "start", args: request.args, timeoutSeconds: 60 },
    });
    assertEquals(await code(asMessage), "client_id_reused");
    const own = ask({ clientId: newId(), text: "/cmd pump start, please" });
    assertEquals(
      (await sendCommand(scene.chat, member, room, pump.id, own)).message.text,
      "/cmd pump start, please",
    );
    const { items } = await listCommands(scene.chat, member, room, {}, { limit: 10 });
    assertEquals(items.map((item) => item.id).at(-1), id);
    assertEquals(items.length, 2);
  },
);

Deno.test("a repeat is answered also when the sender may do nothing any more", strict, async () => {
  await using scene = await chatScene();
  const all = await cast(scene);
  const { chat } = scene;
  const { owner, member, room, pump } = all;
  const request = ask();
  const first = await sendCommand(chat, member, room, pump.id, request);
  await setDefinitions(chat, owner, pump.id, []);
  await removeMember(chat, owner, room, member.id);
  const again = await sendCommand(chat, member, room, pump.id, request);
  assertEquals([again.duplicate, again.message.seq], [true, first.message.seq]);
  assertEquals(await code(sendCommand(chat, member, room, pump.id, ask())), "not_found");
});

Deno.test(
  "who may command what depends on the role and on what the device takes",
  strict,
  async () => {
    await using scene = await chatScene();
    const { chat } = scene;
    const { owner, admin, member, reader, stranger, room, pump } = await cast(scene);
    const send = (actor: Principal, name: string, confirm = false) =>
      code(sendCommand(chat, actor, room, pump.id, ask({ name, confirm })));
    assertEquals(await send(member, "anything"), "ok");
    assertEquals(await send(reader, "anything"), "read_only");
    assertEquals(await send(stranger, "anything"), "not_found");
    const takes: CommandDefinition[] = [
      { name: "start" },
      { name: "flush", minRole: "admin" },
      { name: "reset", minRole: "owner", dangerous: true },
      { name: "drain", dangerous: true },
    ];
    assertEquals(await code(setDefinitions(chat, admin, pump.id, takes)), "not_found");
    await setDefinitions(chat, owner, pump.id, takes);
    assertEquals(await send(member, "anything"), "unknown_command");
    assertEquals(await send(member, "start"), "ok");
    assertEquals(await send(member, "flush"), "forbidden");
    assertEquals(await send(admin, "flush"), "ok");
    assertEquals(await send(owner, "flush"), "ok");
    assertEquals(await send(member, "drain"), "confirmation_required");
    assertEquals(await send(member, "drain", true), "ok");
    assertEquals(await send(admin, "reset", true), "forbidden");
    assertEquals(await send(owner, "reset"), "confirmation_required");
    assertEquals(await send(owner, "reset", true), "ok");
    await setDefinitions(chat, owner, pump.id, null);
    assertEquals(await send(member, "anything"), "ok");
  },
);

Deno.test("only devices of the room take commands", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const { owner, member, admin, room, pump } = await cast(scene);
  const elsewhere = await newDevice(db, owner);
  const send = (device: string) => code(sendCommand(chat, member, room, device, ask()));
  for (const device of [elsewhere.id, admin.id, newId()]) {
    assertEquals(await send(device), "not_found");
  }
  await db.query("update principals set disabled_at = now() where id = $1", [pump.id]);
  assertEquals(await send(pump.id), "not_found");
});

Deno.test(
  "a device has a bounded number of open commands, over all its rooms",
  strict,
  async () => {
    await using scene = await chatScene();
    const { chat, db } = scene;
    const { owner, member, room, pump } = await cast(scene);
    const { id: other } = await createRoom(chat, owner, { name: "Two", visibility: "private" });
    await setMember(chat, owner, other, pump.id, "member");
    const sends = Array.from({ length: MAX_OPEN_COMMANDS + 10 }, (_, i) => {
      const [actor, where] = i % 2 === 0 ? [owner, other] as const : [member, room] as const;
      return sendCommand(chat, actor, where, pump.id, ask());
    });
    const results = await Promise.allSettled(sends);
    const refused = results.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
    assertEquals(refused.map(({ code }) => code), Array(10).fill("too_many_commands"));
    // Time frees places before anybody has noticed
    await db.query("update commands set expires_at = now() - interval '1 s' where room_id = $1", [
      other,
    ]);
    assertEquals(await code(sendCommand(chat, member, room, pump.id, ask())), "ok");
  },
);

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
    const { room, pump, member, owner } = all;
    await setMember(chat, owner, room, pump.id, "member");
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
  const lock = db.transaction([
    { text: "select 1 from rooms where id = $1 for update", values: [held.room] },
    { text: "select pg_sleep(1.6)" },
  ]);
  await until("the room is locked", async () => {
    const [row] = await db.query<{ held: boolean }>(
      `select not exists (select 1 from rooms where id = $1 for update skip locked) as held`,
      [held.room],
    );
    return row!.held;
  });
  assertEquals(await code(expireDueCommands(chat)), "unavailable");
  const { status } = (await getMessage(chat, free.owner, free.room, other.seq)).command!;
  assertEquals(status, "expired");
  await lock;
  assertEquals(await expireDueCommands(chat), 1);
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
  "a command whose message is deleted is taken back, and its arguments are gone",
  strict,
  async () => {
    await using scene = await chatScene();
    const { chat, db } = scene;
    const all = await cast(scene);
    const { room, pump, member } = all;
    const secret = ask({ args: { pin: "1234" } });
    const { message } = await sendCommand(chat, member, room, pump.id, secret);
    const answered = await sendCommand(chat, member, room, pump.id, ask({ args: { pin: "5678" } }));
    await answerCommand(chat, pump, { commandId: answered.message.command!.id, ok: true });
    for (const { seq } of [message, answered.message]) await deleteMessage(chat, member, room, seq);
    assertEquals((await getMessage(chat, member, room, message.seq)).command, undefined);
    const reply = { commandId: message.command!.id, ok: true };
    assertEquals(await code(answerCommand(chat, pump, reply)), "command_settled");
    assertEquals(await readOpenCommands(db, [pump.id], 0, 10), []);
    assertEquals((await cancelCommand(chat, member, room, message.command!.id)).duplicate, true);
    const { items } = await listCommands(chat, member, room, {}, { limit: 10 });
    assertEquals(items.map(({ name, status, args }) => ({ name, status, args })), [
      { name: "start", status: "done", args: undefined },
      { name: "start", status: "cancelled", args: undefined },
    ]);
    const stored = JSON.stringify(await db.query("select * from entries")) +
      JSON.stringify(await db.query("select * from commands"));
    assert(!stored.includes("1234") && !stored.includes("5678"));
  },
);

Deno.test(
  "the list of commands shows a viewer what became of them, page by page",
  strict,
  async () => {
    await using scene = await chatScene();
    const { chat, db } = scene;
    const all = await cast(scene);
    const { room, pump, member, owner, reader, stranger } = all;
    const other = await newDevice(db, owner);
    await setMember(chat, owner, room, other.id, "member");
    const sent: Message[] = [];
    for (let i = 0; i < 5; i++) {
      const device = i === 4 ? other.id : pump.id;
      const request = ask({ args: { i } });
      sent.push((await sendCommand(chat, member, room, device, request)).message);
    }
    const [first, second] = sent.map(({ command }) => command!.id);
    const { seq: answer } = await answerCommand(chat, pump, { commandId: first!, ok: false });
    await cancelCommand(chat, owner, room, second!);
    const page = async (filter: Parameters<typeof listCommands>[3], cursor?: string) =>
      await listCommands(chat, reader, room, filter, {
        limit: 2,
        ...(cursor === undefined ? {} : { cursor }),
      });
    const seen: number[] = [];
    for (let next: string | null | undefined; next !== null;) {
      const { items, next: following } = await page({}, next);
      seen.push(...items.map(({ seq }) => seq));
      next = following;
    }
    assertEquals(seen, sent.map(({ seq }) => seq).reverse());
    const failed = (await page({ status: "failed" })).items;
    assertEquals(
      failed.map(({ createdAt: _, expiresAt: __, settledAt, ...rest }) => ({
        ...rest,
        settled: settledAt !== undefined,
      })),
      [{
        id: first!,
        seq: sent[0]!.seq,
        device: { id: pump.id, kind: "device", name: "pump 1" },
        sender: { id: member.id, kind: "user", name: "Mia" },
        name: "start",
        args: { i: 0 },
        status: "failed",
        answer,
        settled: true,
      }],
    );
    assertEquals((await page({ device: other.id })).items.map(({ seq }) => seq), [sent[4]!.seq]);
    assertEquals((await page({ device: other.id, status: "done" })).items, []);
    assertEquals(await code(listCommands(chat, stranger, room, {}, { limit: 2 })), "not_found");
    assertEquals(await code(page({}, "x")), "invalid_cursor");
    await db.query(
      "update members set visible_from = $3 where room_id = $1 and principal_id = $2",
      [
        room,
        reader.id,
        sent[3]!.seq,
      ],
    );
    assertEquals((await page({})).items.map(({ seq }) => seq), [sent[4]!.seq, sent[3]!.seq]);
    assertEquals((await page({})).next, null);
  },
);

Deno.test("open commands come in the order in which they were sent", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const all = await cast(scene);
  const { room, pump, member } = all;
  const sent: string[] = [];
  for (let i = 0; i < 6; i++) {
    const { message } = await sendCommand(chat, member, room, pump.id, ask({ args: { i } }));
    sent.push(message.command!.id);
  }
  await answerCommand(chat, pump, { commandId: sent[0]!, ok: true });
  await cancelCommand(chat, member, room, sent[1]!);
  await letExpire(scene, sent[2]!);
  const first = await readOpenCommands(db, [pump.id], 0, 2);
  assertEquals(first.map(({ id }) => id), sent.slice(3, 5));
  const [open] = first;
  const { number: _, expiresAt, seq, ...shown } = open!;
  assertEquals(shown, {
    id: sent[3]!,
    device: pump.id,
    room,
    name: "start",
    args: { i: 3 },
    from: { id: member.id, name: "Mia" },
  });
  assertEquals((await getMessage(chat, member, room, seq)).command!.expiresAt, expiresAt);
  const rest = await readOpenCommands(db, null, first.at(-1)!.number, 2);
  assertEquals(rest.map(({ id }) => id), sent.slice(5));
  assertEquals(await readOpenCommands(db, [newId()], 0, 2), []);
});
