import { assertEquals } from "@std/assert";
import { chatScene } from "../../testing/chat.ts";
import { ask, cast, code, command, logOf } from "../../testing/command_scene.ts";
import type { LogEntry } from "../protocol.ts";
import { readOpenCommands } from "../store/command_lists.ts";
import { answerCommand, expireDueCommands } from "./command_answers.ts";
import { sendCommand } from "./commands.ts";
import { leaveRoom, removeMember, setMember } from "./members.ts";
import { deleteMessage, editMessage, getMessage } from "./messages.ts";
import { createRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** What an entry says happened: a command's new status, or the type. */
const told = ({ event }: LogEntry) =>
  event.type === "command.updated" ? event.message.command!.status : event.type;

Deno.test(
  "what a device was asked ends with its stay in the room, and not elsewhere",
  strict,
  async () => {
    await using scene = await chatScene();
    const all = await cast(scene);
    const { chat, db } = scene;
    const { room, pump, owner } = all;
    const { id: other } = await createRoom(chat, owner, { name: "Two", visibility: "private" });
    await setMember(chat, owner, other, pump.id, "member");
    const { message: elsewhere } = await sendCommand(chat, owner, other, pump.id, ask());
    const announced: LogEntry[] = [];
    const sink = { entries: (entries: LogEntry[]) => announced.push(...entries) };
    const quiet = { head: () => {}, signal: () => {} };
    const stop = await chat.bus.serve(room, { ...sink, ...quiet } as never);
    for (const actor of [owner, pump]) {
      const asked = [await command(scene, all), await command(scene, all)];
      const done = await command(scene, all);
      await answerCommand(chat, pump, { commandId: done.command!.id, ok: true });
      const { seq: before } = (await logOf(scene, all)).at(-1)!;
      if (actor === pump) await leaveRoom(chat, pump, room);
      else await removeMember(chat, owner, room, pump.id);
      const after = (entries: LogEntry[]) => entries.filter(({ seq }) => seq > before);
      const entries = after(await logOf(scene, all));
      const gone = actor === pump ? "member.left" : "member.removed";
      assertEquals(entries.map(told), ["cancelled", "cancelled", gone]);
      assertEquals(entries.map(({ event }) => event.actor.id), [pump.id, pump.id, actor.id]);
      const seqs = (of: LogEntry[]) => of.map(({ seq }) => seq);
      assertEquals(seqs(after(announced)), seqs(entries), "told at once");
      await setMember(chat, owner, room, pump.id, "member");
      const open = await readOpenCommands(db, [pump.id], 0, 10);
      assertEquals(open.map(({ id }) => id), [elsewhere.command!.id]);
      for (const { command } of asked) {
        const late = answerCommand(chat, pump, { commandId: command!.id, ok: true });
        assertEquals(await code(late), "command_settled");
      }
    }
    stop();
    assertEquals(await expireDueCommands(chat), 0);
    const reply = { commandId: elsewhere.command!.id, ok: true };
    assertEquals(await code(answerCommand(chat, pump, reply)), "ok");
  },
);

Deno.test(
  "a device that may only read is asked nothing, and answers what it was asked before",
  strict,
  async () => {
    await using scene = await chatScene();
    const all = await cast(scene);
    const { chat } = scene;
    const { room, pump, owner, member } = all;
    const asked = await command(scene, all);
    await setMember(chat, owner, room, pump.id, "reader");
    const send = () => code(sendCommand(chat, member, room, pump.id, ask()));
    assertEquals(await send(), "device_read_only");
    const reply = { commandId: asked.command!.id, ok: true };
    assertEquals(await code(answerCommand(chat, pump, reply)), "ok");
    assertEquals((await getMessage(chat, member, room, asked.seq)).command!.status, "done");
  },
);

Deno.test(
  "the message of a command says what the device is asked, and is not edited",
  strict,
  async () => {
    await using scene = await chatScene();
    const all = await cast(scene);
    const { chat } = scene;
    const { room, pump, member } = all;
    const request = { ...ask({ name: "explode" }), text: '/cmd "pump 1" status' };
    const { message } = await sendCommand(chat, member, room, pump.id, request);
    assertEquals(message.text, '/cmd "pump 1" explode');
    const edit = (text: string) => code(editMessage(chat, member, room, message.seq, { text }));
    assertEquals(await edit('/cmd "pump 1" status'), "not_editable");
    assertEquals(await edit(message.text!), "not_editable");
    assertEquals(await getMessage(chat, member, room, message.seq), message);
    await deleteMessage(chat, member, room, message.seq);
    assertEquals(await edit("x"), "message_deleted");
    const late = answerCommand(chat, pump, { commandId: message.command!.id, ok: true });
    assertEquals(await code(late), "command_settled");
  },
);

Deno.test("an answer brings its attachments", strict, async () => {
  await using scene = await chatScene();
  const all = await cast(scene);
  const { chat } = scene;
  const { room, pump, member } = all;
  const attachments = [{ url: "https://files.example/17.jpg", type: "image/jpeg" }];
  const answered = async (reply: object) => {
    const asked = await command(scene, all);
    const commandId = asked.command!.id;
    const { seq } = await answerCommand(chat, pump, { commandId, ok: true, ...reply });
    const message = await getMessage(chat, member, room, seq);
    assertEquals(message.replyTo, asked.seq);
    return [message.text, message.attachments];
  };
  assertEquals(await answered({ attachments }), [undefined, attachments]);
  assertEquals(await answered({ text: "here", attachments }), ["here", attachments]);
  assertEquals(await answered({ attachments: [] }), ["Done", []]);
});
