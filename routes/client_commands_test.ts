import { assertEquals, assertRejects } from "@std/assert";
import type { Principal } from "../lib/auth/principal.ts";
import { answerCommand } from "../lib/chat/command_answers.ts";
import { setDefinitions } from "../lib/chat/command_definitions.ts";
import { setMember } from "../lib/chat/members.ts";
import { ConfabClient, ConfabClientError, SessionTokens } from "../lib/client/mod.ts";
import { newDevice } from "../testing/chat.ts";
import { testWith } from "../testing/services.ts";
import { serverService, startTestServer } from "../testing/test_server.ts";
import { until } from "../testing/until.ts";

testWith(serverService, "SDK: a command, its repeat, its answer, and one taken back", async () => {
  await using server = await startTestServer();
  const { services: { chat, db }, url } = server;
  const lost: string[] = [];
  const sockets: WebSocket[] = [];
  const tokens = new SessionTokens({ url });
  const client = new ConfabClient({
    url,
    tokens,
    fetch: async (input, init) => {
      const answer = await fetch(input, init);
      const { pathname } = new URL(String(input));
      if (!pathname.endsWith("/commands") || lost.length > 0) return answer;
      await answer.body?.cancel();
      lost.push(pathname);
      throw new TypeError("The answer is lost on purpose");
    },
    WebSocket: class extends WebSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols);
        sockets.push(this);
      }
    } as never,
  });
  try {
    const password = "correct horse battery";
    const username = `ada-${crypto.randomUUID().slice(0, 8)}`;
    const me = await tokens.register({ username, password, displayName: "Ada" });
    const owner: Principal = { id: me.id, kind: "user", name: me.name, role: "user" };
    client.connect();
    const { room: made } = await client.rest.createRoom({ name: "R", visibility: "private" });
    const pump = await newDevice(db, owner);
    await setMember(chat, owner, made.id, pump.id, "member");
    const room = client.room(made.id);
    await room.load();
    const shown = (seq: number) => room.timeline.get(seq)?.command;

    const { message, duplicate } = await room.command(pump.id, "start", { speed: 3 });
    assertEquals([duplicate, lost.length], [true, 1], "it had been stored, the answer was lost");
    const { id } = message.command!;
    await until("the command is shown", () => shown(message.seq)?.status === "queued");
    const { seq } = await answerCommand(chat, pump, { commandId: id, ok: true, text: "running" });
    await until("what became of it is shown", () => shown(message.seq)?.status === "done");
    assertEquals(shown(message.seq), { ...message.command!, status: "done", answer: seq });
    assertEquals(room.timeline.get(seq)?.replyTo, message.seq);

    await setDefinitions(chat, owner, pump.id, [{ name: "reset", dangerous: true }]);
    const { commands } = await client.rest.deviceCommands(made.id, pump.id);
    assertEquals(commands, [{ name: "reset", dangerous: true }]);
    const refused = await assertRejects(() => room.command(pump.id, "reset"), ConfabClientError);
    assertEquals(refused.code, "confirmation_required");
    const other = await newDevice(db, owner);
    await db.query("update principals set name = 'Pump 9' where id = $1", [other.id]);
    await setMember(chat, owner, made.id, other.id, "member");
    const line = await room.commandLine('/cmd pump 9 flush  mode="slow"', { timeoutSeconds: 60 });
    assertEquals(line.message.text, '/cmd "Pump 9" flush mode="slow"');
    assertEquals([line.message.command!.device, line.message.command!.args], [other.id, {
      mode: "slow",
    }]);
    for (const wrong of ["/cmd pump 9", "/cmd pumpe start", "flush"]) {
      const failure = await assertRejects(() => room.commandLine(wrong), ConfabClientError);
      assertEquals(failure.code, "invalid_command_line");
    }
    const reset = (await room.command(pump.id, "reset", {}, { confirm: true })).message;
    await room.cancelCommand(reset.command!.id);
    await until("it is taken back", () => shown(reset.seq)?.status === "cancelled");
    const { items } = await client.rest.commands(made.id, { device: pump.id });
    assertEquals(items.map(({ status }) => status), ["cancelled", "done"]);
  } finally {
    client.close();
    const open = sockets.filter(({ readyState }) => readyState !== WebSocket.CLOSED);
    await Promise.all(
      open.map((socket) => new Promise((resolve) => socket.addEventListener("close", resolve))),
    );
  }
});
