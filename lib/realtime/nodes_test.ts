import { assert, assertEquals } from "@std/assert";
import {
  type ChatNode,
  chatNode,
  chatScene,
  newPrincipal,
  recordedLog,
} from "../../testing/chat.ts";
import { badLuck, lossyBus } from "../../testing/lossy_bus.ts";
import { range, RecordedSubscriber } from "../../testing/subscriber.ts";
import { until } from "../../testing/until.ts";
import type { Principal } from "../auth/principal.ts";
import { createMemoryBus } from "../bus/memory.ts";
import { joinRoom, removeMember } from "../chat/members.ts";
import { deleteMessage, editMessage, sendMessage } from "../chat/messages.ts";
import { createRoom } from "../chat/rooms.ts";
import type { Database } from "../database/mod.ts";
import type { RoomId } from "../protocol.ts";
import { Hub } from "./hub.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

interface Node {
  chat: ChatNode;
  hub: Hub;
}

/** Three nodes on one database, joined by one bus of which each hears half. */
async function nodes(db: Database): Promise<Node[]> {
  const shared = createMemoryBus();
  return await Promise.all(
    range(1, 3).map(async () => {
      const chat = await chatNode(db, lossyBus(shared, badLuck(0.5)));
      const { bus, epoch } = chat;
      const { log } = recordedLog();
      return { chat, hub: new Hub({ db, bus, log, replayEntries: 1000, epoch }) };
    }),
  );
}

function anyOf<T>(items: T[]): T {
  return items[Math.floor(Math.random() * items.length)]!;
}

/** Somebody who comes and goes, on any node, with the cursor of what was seen. */
class Wanderer {
  readonly seqs: number[] = [];
  reloads = 0;
  reader: RecordedSubscriber | undefined;
  #leave: () => void = () => {};

  constructor(readonly who: Principal, readonly room: RoomId, readonly epoch: string) {}

  get cursor(): number | undefined {
    return this.all().at(-1);
  }

  all(): number[] {
    return [...this.seqs, ...(this.reader?.seqs() ?? [])];
  }

  async come(hub: Hub): Promise<void> {
    const after = this.cursor ?? 0;
    this.reader = new RecordedSubscriber(this.who);
    const subscription = await this.reader.join(hub, this.room, { after, epoch: this.epoch });
    assertEquals(this.reader.joined?.recovered, true);
    this.#leave = () => hub.leave(subscription);
  }

  go(): void {
    this.#leave();
    this.seqs.push(...this.reader!.seqs());
    this.reader = undefined;
  }
}

Deno.test(
  "Over a bus that loses half, everybody gets everything once (P5, P6)",
  strict,
  async () => {
    await using scene = await chatScene();
    const { db } = scene;
    const all = await nodes(db);
    const owner = await newPrincipal(db);
    const rooms = await Promise.all(
      range(1, 3).map(async (n) => {
        return (await createRoom(scene.chat, owner, { name: `R${n}`, visibility: "public" })).id;
      }),
    );
    const wanderers = await Promise.all(
      range(1, 9).map(async (n) => {
        const who = await newPrincipal(db);
        return new Wanderer(who, rooms[n % 3]!, scene.chat.epoch.value);
      }),
    );
    for (const wanderer of wanderers) await wanderer.come(anyOf(all).hub);
    const sending = Promise.all(rooms.map(async (room) => {
      for (const n of range(1, 120)) {
        const { chat } = anyOf(all);
        const { seq } = await sendMessage(chat, owner, room, `m${n}`, { text: `${n}` });
        if (n % 7 === 0) await editMessage(chat, owner, room, seq, { text: "edited" });
        if (n % 11 === 0) await deleteMessage(chat, owner, room, seq);
      }
    }));
    let sent = false;
    void sending.then(() => sent = true);
    const beacons = (async () => {
      while (!sent) {
        await anyOf(all).hub.beacon();
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 40));
      }
    })();
    await Promise.all(wanderers.map(async (wanderer) => {
      while (!sent) {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 30));
        wanderer.go();
        await wanderer.come(anyOf(all).hub);
      }
    }));
    await Promise.all([sending, beacons]);
    // The very last notice may have been lost as well: one round of the beacon finds it.
    await Promise.all(all.map(({ hub }) => hub.beacon()));
    const [heads] = [new Map<RoomId, number>()];
    const rows = await db.query<{ id: string; head: number }>("select id, head from rooms");
    for (const { id, head } of rows) heads.set(id, head);
    for (const wanderer of wanderers) {
      const head = heads.get(wanderer.room)!;
      await until("the last entry", () => wanderer.cursor === head);
      assertEquals(wanderer.all(), range(1, head));
      assertEquals(wanderer.reader?.evictions, []);
      wanderer.go();
    }
    assertEquals(all.map(({ hub }) => hub.rooms), [0, 0, 0]);
  },
);

Deno.test("Over such a bus nothing passes a removal (P7)", strict, async () => {
  await using scene = await chatScene();
  const { db } = scene;
  const all = await nodes(db);
  const owner = await newPrincipal(db);
  const { id: room } = await createRoom(scene.chat, owner, { name: "R", visibility: "public" });
  for (const round of range(1, 10)) {
    const members = await Promise.all(range(1, 4).map(() => newPrincipal(db)));
    const readers = members.map((member) => new RecordedSubscriber(member));
    for (const reader of readers) {
      await joinRoom(scene.chat, reader.principal, room);
      if (round % 2 === 0) await reader.join(anyOf(all).hub, room);
    }
    const say = (n: number) =>
      sendMessage(anyOf(all).chat, owner, room, `r${round}.${n}`, { text: "x" });
    const acts: Promise<unknown>[] = range(1, 10).map(say);
    for (const reader of readers) {
      acts.push(removeMember(anyOf(all).chat, owner, room, reader.principal.id));
      if (round % 2 === 1) acts.push(reader.join(anyOf(all).hub, room));
    }
    acts.push(...range(11, 20).map(say));
    await Promise.all(acts);
    await say(21);
    await Promise.all(all.map(({ hub }) => hub.beacon()));
    for (const reader of readers) {
      if (reader.joined?.view.role !== "member") continue;
      await until("evicted", () => reader.evictions.length > 0);
      const { event, seq } = reader.seen.at(-1)!;
      assert("principal" in event && event.principal.id === reader.principal.id);
      assertEquals(reader.seqs(), range(reader.joined.view.head + 1, seq));
      assertEquals(reader.story.at(-1), "evicted:removed");
    }
    for (const { hub } of all) assert(hub.rooms <= 1);
  }
});
