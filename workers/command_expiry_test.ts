import { assert, assertEquals } from "@std/assert";
import { sendCommand } from "../lib/chat/commands.ts";
import { setMember } from "../lib/chat/members.ts";
import { createRoom } from "../lib/chat/rooms.ts";
import { newId } from "../lib/ids.ts";
import { createLog } from "../lib/log.ts";
import type { LogEntry } from "../lib/protocol.ts";
import { readEntries } from "../lib/store/log.ts";
import { chatNode, chatScene, newDevice, newPrincipal } from "../testing/chat.ts";
import { until } from "../testing/until.ts";
import { startWorkers } from "./workers.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test(
  "two nodes of workers tell of each expiry once, and everybody hears it",
  strict,
  async () => {
    await using scene = await chatScene();
    const { chat, db } = scene;
    const owner = await newPrincipal(db);
    const { id: room } = await createRoom(chat, owner, { name: "R", visibility: "private" });
    const device = await newDevice(db, owner);
    await setMember(chat, owner, room, device.id, "member");
    const heard: LogEntry[] = [];
    const leave = await chat.bus.serve(room, {
      entries: (entries) => void heard.push(...entries),
      head: () => {},
      signal: () => {},
    });
    const sent: number[] = [];
    for (let i = 0; i < 30; i++) {
      const request = { clientId: newId(), name: "start", args: {}, timeoutSeconds: 1 };
      sent.push((await sendCommand(chat, owner, room, device.id, request)).message.seq);
    }
    const log = createLog("silent");
    const nodes = [chat, await chatNode(db, chat.bus)];
    const works = nodes.map((node) => startWorkers({ db, chat: node, log }));
    const expired = () =>
      heard.flatMap(({ event }) =>
        event.type === "command.updated" && event.message.command?.status === "expired"
          ? [event.target]
          : []
      );
    try {
      await until("all are told of", () => expired().length >= sent.length);
    } finally {
      await Promise.all(works.map((work) => work.stop()));
      leave();
    }
    assertEquals(expired().toSorted((a, b) => a - b), sent);
    const [last] = sent.slice(-1);
    const entries = await readEntries(db, room, last! + 1, last! + 1000);
    assertEquals(entries.length, sent.length);
    for (const { event } of entries) {
      assert(event.type === "command.updated" && event.actor.id === device.id);
      assert(Date.parse(event.at) >= Date.parse(event.message.command!.expiresAt));
    }
  },
);
