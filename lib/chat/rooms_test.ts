import { assert, assertEquals } from "@std/assert";
import { chatScene, newDevice, newPrincipal } from "../../testing/chat.ts";
import { faultyDatabase } from "../../testing/faulty_database.ts";
import { range } from "../../testing/subscriber.ts";
import { recorder } from "../bus/contract.ts";
import { ConfabError } from "../errors.ts";
import type { JoinedRoom, Room } from "../protocol.ts";
import type { List } from "../lists.ts";
import { joinRoom, removeMember, setMember } from "./members.ts";
import { deleteMessage, listMessages, sendMessage } from "./messages.ts";
import {
  changeRoom,
  createRoom,
  findPublicRooms,
  getRoom,
  listMyRooms,
  markRead,
  type NewRoom,
} from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

async function code(promise: Promise<unknown>): Promise<string> {
  return await promise.then(() => "ok", (error) => {
    if (error instanceof ConfabError) return error.code;
    throw error;
  });
}

async function all<T>(page: (cursor?: string) => Promise<List<T>>): Promise<T[]> {
  const items: T[] = [];
  let next: string | null = null;
  do {
    const found: List<T> = await page(next ?? undefined);
    items.push(...found.items);
    next = found.next;
  } while (next !== null);
  return items;
}

Deno.test(
  "createRoom() makes its owner the first member; guests and devices may not",
  strict,
  async () => {
    await using scene = await chatScene();
    const { chat, db } = scene;
    const owner = await newPrincipal(db);
    const metadata = { a: [1] };
    const visibility = "private" as const;
    const wish: NewRoom = { name: "Lab", topic: "x", visibility, metadata };
    const room = await createRoom(chat, owner, wish);
    const { name, topic, head, floor, role, read, unread, kind } = room;
    assertEquals<NewRoom>(
      { name, topic, visibility: room.visibility, metadata: room.metadata },
      wish,
    );
    assertEquals([head, floor, role, read, unread, kind], [1, 0, "owner", 1, 0, "group"]);
    for (const other of [await newPrincipal(db, "guest"), await newDevice(db, owner)]) {
      assertEquals(await code(createRoom(chat, other, wish)), "forbidden");
    }
  },
);

Deno.test("changeRoom() is for owners and admins and logs what changed", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const [owner, member] = [await newPrincipal(db), await newPrincipal(db)];
  const { id } = await createRoom(chat, owner, { name: "A", visibility: "public" });
  await setMember(chat, owner, id, member.id, "member");
  const stranger = await newPrincipal(db);
  assertEquals(await code(changeRoom(chat, member, id, { name: "B" })), "forbidden");
  assertEquals(await code(changeRoom(chat, stranger, id, { name: "B" })), "not_a_member");
  assertEquals((await changeRoom(chat, owner, id, { name: "A" })).head, 2);
  const changed = await changeRoom(chat, owner, id, { visibility: "private", metadata: { z: 1 } });
  assertEquals([changed.head, changed.name, changed.visibility], [3, "A", "private"]);
  assertEquals(await code(changeRoom(chat, stranger, id, { name: "B" })), "not_found");
  assertEquals(await code(getRoom(chat, stranger, id)), "not_found");
});

Deno.test("Unread counts messages after the read cursor, tombstones included", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const [owner, member] = [await newPrincipal(db), await newPrincipal(db)];
  const { id } = await createRoom(chat, owner, { name: "A", visibility: "public" });
  for (const n of range(1, 5)) await sendMessage(chat, owner, id, `a${n}`, { text: "x" });
  const joined = await joinRoom(chat, member, id);
  assertEquals([joined.read, joined.unread], [7, 0]);
  for (const n of range(1, 4)) await sendMessage(chat, owner, id, `b${n}`, { text: "x" }); // 8–11
  await changeRoom(chat, owner, id, { topic: "not a message" }); // 12
  await deleteMessage(chat, owner, id, 9); // 13
  const standing = async (who = member) => {
    const { read, unread } = await getRoom(chat, who, id) as JoinedRoom;
    return [read, unread];
  };
  assertEquals(await standing(), [7, 4]);
  assertEquals(await standing(owner), [11, 0]);
  assertEquals(await markRead(chat, member, id, 9), { read: 9, unread: 2 });
  assertEquals(await markRead(chat, member, id, 3), { read: 9, unread: 2 });
  assertEquals(await standing(), [9, 2]);
  assertEquals(await markRead(chat, member, id, 12), { read: 12, unread: 0 });
  assertEquals(await markRead(chat, member, id, 1_000_000), { read: 13, unread: 0 });
  await sendMessage(chat, owner, id, "c1", { text: "x" }); // 14
  assertEquals(await standing(), [13, 1]);
  await sendMessage(chat, member, id, "d1", { text: "x" }); // 15
  assertEquals([await standing(), await standing(owner)], [[15, 0], [14, 1]]);
  assertEquals(await markRead(chat, member, id, 14), { read: 15, unread: 0 });
  const mine = await all((cursor) =>
    listMyRooms(chat, member, { limit: 1, ...(cursor && { cursor }) })
  );
  assertEquals(mine.map(({ read, unread }) => [read, unread]), [[15, 0]]);
  const view = await listMessages(chat, member, id, {}, 50);
  assertEquals(view.head, 15);
  await removeMember(chat, owner, id, member.id);
  assertEquals(await code(markRead(chat, member, id, 15)), "not_found");
  const again = await joinRoom(chat, member, id);
  assertEquals([again.read, again.unread], [17, 0]);
});

Deno.test("markRead() never answers less than another has raised meanwhile", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const owner = await newPrincipal(db);
  const { id } = await createRoom(chat, owner, { name: "A", visibility: "public" });
  const member = await newPrincipal(db);
  await joinRoom(chat, member, id);
  for (const n of range(1, 20)) await sendMessage(chat, owner, id, `a${n}`, { text: "x" });
  const { default: pg } = await import("pg");
  const other = new pg.Client({ connectionString: scene.url });
  await other.connect();
  await other.query("begin");
  await other.query("update members set read_seq = 15 where principal_id = $1", [member.id]);
  let sent: () => void = () => {};
  const asked = new Promise<void>((resolve) => sent = resolve);
  const watched = { ...chat, db: faultyDatabase(db, { before: () => sent() }) };
  const marking = markRead(watched, member, id, 10);
  await asked;
  const waits = async () => {
    const [row] = await db.query<{ n: number }>(
      `select count(*) as n from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return row!.n > 0;
  };
  const { until } = await import("../../testing/until.ts");
  await until("it waits for the row", waits);
  await other.query("commit");
  await other.end();
  const { read, unread } = await marking;
  assert(read >= 10, `read ${read}`);
  assertEquals(unread, 22 - read);
  const { read: after } = await getRoom(chat, member, id) as JoinedRoom;
  assertEquals(after, 15);
});

Deno.test("markRead() tells the room once who has read how far", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const owner = await newPrincipal(db, "user", "Ann");
  const { id } = await createRoom(chat, owner, { name: "A", visibility: "public" });
  const seen = recorder();
  await chat.bus.serve(id, seen);
  const { head: seq } = await joinRoom(chat, await newPrincipal(db), id);
  await markRead(chat, owner, id, seq);
  await markRead(chat, owner, id, seq);
  assertEquals(seen.signals, [
    { type: "receipt", principal: { id: owner.id, kind: "user", name: "Ann" }, read: seq },
  ]);
});

Deno.test("listMyRooms() pages through all rooms, each once", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const owner = await newPrincipal(db);
  const made = await Promise.all(
    range(1, 7).map((n) => createRoom(chat, owner, { name: `R${n}`, visibility: "private" })),
  );
  await createRoom(chat, await newPrincipal(db), { name: "Not mine", visibility: "public" });
  const page = (cursor?: string) =>
    listMyRooms(chat, owner, { limit: 3, ...(cursor === undefined ? {} : { cursor }) });
  const ids = (await all<JoinedRoom>(page)).map(({ id }) => id);
  assertEquals(ids, made.map(({ id }) => id).toSorted());
  assertEquals(await code(page("garbage")), "invalid_cursor");
});

Deno.test("findPublicRooms() pages by name whatever its letters", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const owner = await newPrincipal(db);
  const names = [
    "Ärger",
    "ärger",
    "Émile",
    "émile",
    "İzmir",
    "izmir",
    "Zoo",
    "ΣΑΣ",
    "σας",
    "Straße",
  ];
  names.push("STRASSE", "a", "A", "ﬁn", "Ǆ", "ǅ", "100 %", "_", "x".repeat(80), "Été", "été");
  for (const name of names) await createRoom(chat, owner, { name, visibility: "public" });
  await createRoom(chat, owner, { name: "Hidden", visibility: "private" });
  const stranger = await newPrincipal(db);
  const find = (q: string, limit: number, viewer = stranger) => (cursor?: string) =>
    findPublicRooms(chat, viewer, q, { limit, ...(cursor === undefined ? {} : { cursor }) });
  const whole = (await find("", 200)()).items.map(({ name }) => name);
  assertEquals(whole.toSorted(), names.toSorted());
  for (const limit of [1, 2, 3, 5]) {
    const paged = (await all<Room>(find("", limit))).map(({ name }) => name);
    assertEquals(paged, whole);
  }
  const found = (await all<Room>(find("%", 1))).map(({ name }) => name);
  assertEquals(found, ["100 %"]);
  assertEquals((await all<Room>(find("_", 1))).map(({ name }) => name), ["_"]);
  const device = await newDevice(db, owner);
  assertEquals((await find("", 50, device)()).items, []);
  const surrogate = btoa(JSON.stringify(["\\", owner.id]).replace("\\\\", "\\ud800"));
  for (const cursor of ["?", btoa('["a"]'), btoa('["a","b"]'), btoa("{}"), surrogate]) {
    assertEquals(await code(find("", 2)(cursor)), "invalid_cursor");
  }
});
