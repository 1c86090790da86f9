import { assert, assertEquals } from "@std/assert";
import { chatScene, newDevice } from "../../testing/chat.ts";
import { ask, cast, code, letExpire } from "../../testing/command_scene.ts";
import type { Principal } from "../auth/principal.ts";
import type { CommandDefinition } from "../command_schemas.ts";
import { newId } from "../ids.ts";
import type { Message } from "../protocol.ts";
import { readOpenCommands } from "../store/command_lists.ts";
import { answerCommand } from "./command_answers.ts";
import { setDefinitions } from "./command_definitions.ts";
import {
  cancelCommand,
  type CommandRequest,
  listCommands,
  MAX_OPEN_COMMANDS,
  sendCommand,
} from "./commands.ts";
import { deleteDevice, disableDevice, enableDevice } from "./devices.ts";
import { removeMember, setMember } from "./members.ts";
import { deleteMessage, getMessage, sendMessage } from "./messages.ts";
import { createRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

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
    for (const other of [{ name: "stop" }, { args: {} }, { timeoutSeconds: 61 }]) {
      assertEquals(await code(send(other)), "client_id_reused");
    }
    const asMessage = sendMessage(scene.chat, member, room, request.clientId, {
      data: { device: pump.id, name: "start", args: request.args, timeoutSeconds: 60 },
    });
    assertEquals(await code(asMessage), "client_id_reused");
    const { items } = await listCommands(scene.chat, member, room, {}, { limit: 10 });
    assertEquals(items.map((item) => item.id), [id]);
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

Deno.test(
  "a command may take as long as its sender says, or else its definition",
  strict,
  async () => {
    await using scene = await chatScene();
    const { chat } = scene;
    const { owner, member, room, pump } = await cast(scene);
    const send = async (request: CommandRequest) => {
      const { message } = await sendCommand(chat, member, room, pump.id, request);
      return Math.round((Date.parse(message.command!.expiresAt) - Date.parse(message.at)) / 1000);
    };
    const { timeoutSeconds: _, ...plain } = ask();
    assertEquals(await send(plain), 30);
    await setDefinitions(chat, owner, pump.id, [{ name: "start", timeoutSeconds: 600 }]);
    assertEquals(await send(plain), 30, "a repeat is one, whatever is said since");
    assertEquals(await send({ ...plain, clientId: newId() }), 600);
    assertEquals(await send(ask({ timeoutSeconds: 7 })), 7);
  },
);

Deno.test("only devices of the room take commands", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const { owner, member, admin, reader, room, pump } = await cast(scene);
  const elsewhere = await newDevice(db, owner);
  const send = (device: string, actor = member) =>
    code(sendCommand(chat, actor, room, device, ask()));
  for (const device of [elsewhere.id, admin.id, newId()]) {
    assertEquals(await send(device), "not_found");
  }
  await disableDevice(chat, owner, pump.id);
  assertEquals([await send(pump.id), await send(pump.id, reader)], [
    "device_disabled",
    "read_only",
  ]);
  await enableDevice(chat, owner, pump.id);
  assertEquals(await send(pump.id), "ok");
  await deleteDevice(chat, owner, pump.id);
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
    let next: string | null | undefined;
    do {
      const list = await page({}, next ?? undefined);
      seen.push(...list.items.map(({ seq }) => seq));
      next = list.next;
    } while (next !== null);
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
  const { number: _, expiresAt, readAt, seq, ...shown } = open!;
  assert(readAt < new Date(expiresAt));
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
