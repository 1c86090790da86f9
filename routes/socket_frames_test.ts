import { assertEquals } from "@std/assert";
import { type ChatScene, chatScene, newPrincipal } from "../testing/chat.ts";
import { range } from "../testing/subscriber.ts";
import { until } from "../testing/until.ts";
import { joinRoom, removeMember } from "../lib/chat/members.ts";
import { sendMessage } from "../lib/chat/messages.ts";
import { createRoom } from "../lib/chat/rooms.ts";
import { readConfig } from "../lib/config.ts";
import { Connections } from "../lib/realtime/connections.ts";
import { Hub } from "../lib/realtime/hub.ts";
import { createNodePresence } from "../lib/realtime/node_presence.ts";
import { SocketConnection } from "./socket_connection.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** A connection of a new member of a new room with `messages`, on a socket that only notes. */
async function scene({ chat, db }: ChatScene, messages: number) {
  const owner = await newPrincipal(db);
  const { id: room } = await createRoom(chat, owner, { name: "Room", visibility: "private" });
  for (const n of range(1, messages)) await sendMessage(chat, owner, room, `m${n}`, { text: "x" });
  // deno-lint-ignore no-explicit-any -- frames of every type
  const frames: any[] = [];
  const socket = {
    readyState: WebSocket.OPEN,
    bufferedAmount: 0,
    send: (frame: string) => frames.push(...[JSON.parse(frame)].flat()),
    close: () => {},
  } as unknown as WebSocket;
  const config = readConfig({});
  const { epoch, bus, log } = chat;
  const hub = new Hub({ db, bus, log, replayEntries: 1000, epoch });
  const connections = new Connections(config.limits);
  const unused = () => Promise.reject(new Error("unused"));
  const connection = new SocketConnection(
    {
      ...{ config, chat, hub, connections, epoch, log },
      admission: undefined as never, // it is beyond that
      presence: createNodePresence({ chat, maxMembers: 0 }),
      ...{ authenticate: unused, redeemTicket: unused },
    },
    socket,
    owner,
    connections.admit(owner.id, "address"),
  );
  const receive = (frame: object) => connection.receive(JSON.stringify(frame));
  const answered = (...ids: string[]) =>
    until("answers", () => ids.every((id) => frames.some((frame) => frame.id === id)));
  const answer = (id: string) => {
    const { type, code } = frames.find((frame) => frame.id === id);
    return code ?? type;
  };
  return { owner, room, frames, hub, connection, receive, answered, answer };
}

Deno.test(
  "A join that is followed by a leave is refused and delivers nothing",
  strict,
  async () => {
    await using base = await chatScene();
    const { room, frames, hub, receive, answered, answer } = await scene(base, 5);
    receive({ type: "join", id: "1", room, after: 0 });
    receive({ type: "leave", id: "2", room });
    await answered("1", "2");
    assertEquals([answer("1"), answer("2")], ["not_joined", "ok"]);
    assertEquals(frames.filter(({ type }) => type === "event"), []);
    assertEquals(hub.rooms, 0);
  },
);

Deno.test("Of two joins at once the later one counts, and entries come once", strict, async () => {
  await using base = await chatScene();
  const { owner, room, frames, hub, connection, receive, answered, answer } = await scene(base, 5);
  receive({ type: "join", id: "1", room, after: 0 });
  receive({ type: "join", id: "2", room, after: 2 });
  await answered("1", "2");
  assertEquals([answer("1"), answer("2")], ["not_joined", "ok"]);
  await sendMessage(base.chat, owner, room, "live", { text: "x" });
  const seqs = () => frames.filter(({ type }) => type === "event").map(({ seq }) => seq);
  await until("live", () => seqs().includes(7));
  assertEquals(seqs(), range(3, 7));
  // Joining again when joined begins anew from the cursor.
  receive({ type: "join", id: "3", room, after: 6 });
  await answered("3");
  await until("again", () => seqs().length === 6);
  assertEquals(seqs(), [...range(3, 7), 7]);
  connection.gone();
  assertEquals(hub.rooms, 0);
});

Deno.test("A connection that ends while it joins leaves nothing behind", strict, async () => {
  await using base = await chatScene();
  const { room, frames, hub, connection, receive } = await scene(base, 1);
  receive({ type: "join", id: "1", room });
  assertEquals(hub.rooms, 1);
  connection.gone();
  connection.gone();
  await until("left", () => hub.rooms === 0);
  assertEquals([frames, connection.context.connections.size], [[], 0]);
});

Deno.test("A removed member is evicted and may not tell that they type", strict, async () => {
  await using base = await chatScene();
  const { owner, hub, connection, receive, answered, frames } = await scene(base, 0);
  const boss = await newPrincipal(base.db);
  const { id } = await createRoom(base.chat, boss, { name: "Other", visibility: "public" });
  await joinRoom(base.chat, owner, id);
  receive({ type: "join", id: "1", room: id });
  await answered("1");
  await removeMember(base.chat, boss, id, owner.id);
  await until("evicted", () => frames.some(({ type }) => type === "evicted"));
  assertEquals(frames.at(-1), { type: "evicted", room: id, code: "removed" });
  receive({ type: "typing", room: id });
  await until("refused", () => frames.at(-1).type === "error");
  assertEquals([frames.at(-1).code, connection.rooms.size, hub.rooms], ["not_joined", 0, 0]);
  connection.gone();
});
