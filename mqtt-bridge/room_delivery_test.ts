import { assertEquals } from "@std/assert";
import { newId } from "../lib/ids.ts";
import { createLog } from "../lib/log.ts";
import type { MessageCommand } from "../lib/protocol.ts";
import { until } from "../testing/until.ts";
import { LiveEntries } from "./live_entries.ts";
import { OutboundRoom } from "./outbound_room.ts";
import type { ReadEntry } from "./ports.ts";
import { RoomDelivery } from "./room_delivery.ts";
import { Topics } from "./topics.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const topics = new Topics("confab/");
const [room, device] = [newId(), newId()];
const at = new Date(0).toISOString();

/** An entry with which somebody commands the device; the database says what time it is. */
function commanding(seq: number, { readAt = new Date(), seconds = 60 } = {}): ReadEntry {
  const actor = { id: newId(), kind: "user" as const, name: "Ada" };
  const expiresAt = new Date(readAt.getTime() + seconds * 1000).toISOString();
  const asked = { device, name: "start", args: {}, status: "queued" } as const;
  const command: MessageCommand = { id: newId(), ...asked, expiresAt };
  const content = { text: "/cmd", attachments: [], command };
  const message = { room, seq, sender: actor, at, updatedSeq: seq, ...content };
  return { room, epoch: "e", seq, event: { type: "message.created", actor, at, message }, readAt };
}

/** The topics of what is published for a room with such an entry. */
async function published(isTaken: boolean, entry = commanding(1)): Promise<string[]> {
  const found: string[] = [];
  const taken: string[] = [];
  const delivery = new RoomDelivery({
    topics,
    store: {
      devicesAt: () => Promise.resolve([{ id: device, member: device, visibleFrom: 1 }]),
      entries: (_, after) => Promise.resolve(after < 1 ? [entry] : []),
    },
    publisher: {
      publish: (topic) => {
        found.push(topic);
        return Promise.resolve();
      },
    },
    live: new LiveEntries(),
    desired: { publish: () => Promise.resolve() },
    commands: {
      takes: (device) => {
        taken.push(device);
        return isTaken;
      },
    },
    log: createLog("silent"),
    signal: new AbortController().signal,
  }, () => {});
  const state = new OutboundRoom(room);
  state.target = 1;
  delivery.start(state);
  await until("the entry is delivered", () => state.cursor === 1 && !state.busy);
  if (isTaken) assertEquals(taken, [device]);
  return found;
}

Deno.test("a command is published unless it comes with older ones", strict, async () => {
  const [events, commands] = [topics.events(device, room), topics.commands(device)];
  assertEquals(await published(false), [events, commands]);
  assertEquals(await published(true), [events]);
});

Deno.test(
  "whether a command's time is over is judged by the database's clock",
  strict,
  async () => {
    const [events, commands] = [topics.events(device, room), topics.commands(device)];
    for (const hours of [-1, 1]) {
      const readAt = new Date(Date.now() + hours * 3_600_000);
      assertEquals(await published(false, commanding(1, { readAt })), [events, commands]);
      assertEquals(await published(false, commanding(1, { readAt, seconds: 0 })), [events]);
    }
  },
);
