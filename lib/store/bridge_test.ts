import { assert, assertEquals } from "@std/assert";
import { testDatabase } from "../../testing/database.ts";
import { until } from "../../testing/until.ts";
import type { Database } from "../database/mod.ts";
import { newId } from "../ids.ts";
import {
  dropCursors,
  readBridgeRooms,
  readCredentials,
  readCredentialsOf,
  readDevicesAt,
  readEntriesAfter,
  saveCursors,
} from "./bridge.ts";
import { releaseLease, renewLease, takeLease } from "./bridge_lease.ts";
import { createDevice, disableDevice, enableDevice, rotateDevice } from "./devices.ts";
import { createRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

async function makeRoom(db: Database): Promise<{ owner: string; room: string }> {
  const [owner, room] = [newId(), newId()];
  await db.query("insert into principals (id, kind, role, name) values ($1, 'user', 'user', 'O')", [
    owner,
  ]);
  const settings = { name: "R", topic: "", visibility: "private", metadata: "{}" };
  await createRoom(db, { id: room, creator: owner, ...settings });
  return { owner, room };
}

async function makeDevice(db: Database, owner: string): Promise<string> {
  const device = await createDevice(db, newId(), owner, "Sensor", 100);
  return device!.id;
}

const join = (db: Database, room: string, actor: string, subject: string) =>
  db.query("select outcome from put_member($1, $2, $3, 'member')", [room, actor, subject]);
const leave = (db: Database, room: string, actor: string, subject: string) =>
  db.query("select outcome from delete_member($1, $2, $3)", [room, actor, subject]);

Deno.test("a lease has one holder, its term rises, and it can be handed on", strict, async () => {
  await using database = await testDatabase();
  const { db } = database;
  const taken = await Promise.all(["a", "b", "c"].map((h) => takeLease(db, "bridge:0", h, 60_000)));
  assertEquals(taken.filter((term) => term === 1).length, 1);
  assertEquals(taken.filter((term) => term === undefined).length, 2);
  const holder = ["a", "b", "c"][taken.indexOf(1)]!;
  const lease = { name: "bridge:0", holder, term: 1 };
  assert(await renewLease(db, lease, 60_000));
  assert(!await renewLease(db, { ...lease, term: 2 }, 60_000));
  assert(!await renewLease(db, { ...lease, holder: "z" }, 60_000));
  await releaseLease(db, { ...lease, holder: "z" });
  assertEquals(await takeLease(db, "bridge:0", "d", 60_000), undefined);
  await releaseLease(db, lease);
  assertEquals(await takeLease(db, "bridge:0", "d", 60_000), 2);
  assert(!await renewLease(db, lease, 60_000));
  assertEquals(await takeLease(db, "bridge:1", "d", 60_000), 1);
});

Deno.test(
  "a lease that runs out is taken by the next, and the old term is refused",
  strict,
  async () => {
    await using database = await testDatabase();
    const { db } = database;
    assertEquals(await takeLease(db, "l", "old", 50), 1);
    await until("the lease ran out", async () => await takeLease(db, "l", "new", 60_000) === 2);
    assert(!await renewLease(db, { name: "l", holder: "old", term: 1 }, 60_000));
  },
);

Deno.test("cursors are stored only while the lease is held", strict, async () => {
  await using database = await testDatabase();
  const { db } = database;
  const { owner, room } = await makeRoom(db);
  await join(db, room, owner, await makeDevice(db, owner));
  const term = (await takeLease(db, "l", "a", 60_000))!;
  const lease = { name: "l", holder: "a", term };
  assert(await saveCursors(db, lease, new Map([[room, 1], [newId(), 5]])));
  assertEquals((await readBridgeRooms(db)).rooms[0], { room, head: 2, cursor: 1, firstJoined: 2 });
  assert(await saveCursors(db, lease, new Map([[room, 2]])));
  assert(!await saveCursors(db, { ...lease, term: term + 1 }, new Map([[room, 9]])));
  assert(!await saveCursors(db, { ...lease, holder: "b" }, new Map([[room, 9]])));
  await dropCursors(db, { ...lease, holder: "b" }, [room]);
  assertEquals((await readBridgeRooms(db)).rooms[0]?.cursor, 2);
  await releaseLease(db, lease);
  assert(!await saveCursors(db, lease, new Map([[room, 9]])));
  assertEquals((await readBridgeRooms(db)).rooms[0]?.cursor, 2);
});

Deno.test(
  "readBridgeRooms() finds rooms by their devices and by their cursors",
  strict,
  async () => {
    await using database = await testDatabase();
    const { db } = database;
    const { owner, room } = await makeRoom(db);
    await makeRoom(db); // without devices
    const device = await makeDevice(db, owner);
    await join(db, room, owner, device);
    assertEquals((await readBridgeRooms(db)).rooms, [
      { room, head: 2, cursor: undefined, firstJoined: 2 },
    ]);
    const lease = { name: "l", holder: "a", term: (await takeLease(db, "l", "a", 60_000))! };
    await saveCursors(db, lease, new Map([[room, 2]]));
    await leave(db, room, owner, device);
    assertEquals((await readBridgeRooms(db)).rooms, [
      { room, head: 3, cursor: 2, firstJoined: undefined },
    ]);
    await dropCursors(db, lease, [room]);
    assertEquals((await readBridgeRooms(db)).rooms, []);
  },
);

Deno.test("what a room said before it had personal credentials is not sent", strict, async () => {
  await using database = await testDatabase();
  const { db } = database;
  const { owner, room } = await makeRoom(db);
  await join(db, room, owner, await makeDevice(db, owner)); // a head beyond the owner's joining
  await db.query("delete from devices where owner_id = $1", [owner]);
  const lease = { name: "l", holder: "a", term: (await takeLease(db, "l", "a", 60_000))! };
  await saveCursors(db, lease, new Map([[room, 2]]));
  await createDevice(db, newId(), owner, "Terminal", 100, true);
  // A bridge that read the rooms just before.
  await dropCursors(db, lease, [room]);
  assertEquals((await readBridgeRooms(db)).rooms, [{ room, head: 2, cursor: 2, firstJoined: 3 }]);
  // One that knows nothing of personal credentials forgets it.
  await db.query("delete from bridge_cursors");
  assertEquals((await readBridgeRooms(db)).rooms, [
    { room, head: 2, cursor: undefined, firstJoined: 3 },
  ]);
  // Of a room that the owner joins afterwards, everything from the joining on.
  const later = await makeRoom(db);
  await join(db, later.room, later.owner, owner); // 2
  await join(db, later.room, later.owner, await makeDevice(db, later.owner)); // 3
  const { rooms } = await readBridgeRooms(db);
  assertEquals(rooms.find((one) => one.room === later.room)!.firstJoined, 2);
});

Deno.test(
  "readDevicesAt() knows who was a member when the log stood at a seq",
  strict,
  async () => {
    await using database = await testDatabase();
    const { db } = database;
    const { owner, room } = await makeRoom(db); // 1: the owner
    const [a, b] = [await makeDevice(db, owner), await makeDevice(db, owner)];
    await join(db, room, owner, a); // 2
    await join(db, room, owner, b); // 3
    await leave(db, room, owner, a); // 4
    await join(db, room, owner, a); // 5
    await leave(db, room, owner, b); // 6
    const expected = [[], [], [a], [a, b], [b], [a, b], [a]];
    for (const [seq, devices] of expected.entries()) {
      const found = (await readDevicesAt(db, room, seq)).map(({ id }) => id);
      assertEquals(found.sort(), [...devices].sort(), `at ${seq}`);
    }
    await db.query("update members set visible_from = 5 where principal_id = $1", [a]);
    assertEquals(await readDevicesAt(db, room, 6), [{ id: a, member: a, visibleFrom: 5 }]);
    await db.query("update principals set disabled_at = now() where id = $1", [a]);
    assertEquals(await readDevicesAt(db, room, 6), []);
  },
);

Deno.test("readCredentials() lists devices until their access ends", strict, async () => {
  await using database = await testDatabase();
  const { db } = database;
  const { owner } = await makeRoom(db);
  const [a, b] = [await makeDevice(db, owner), await makeDevice(db, owner)];
  await db.query("update devices set generation = 2 where id = $1", [b]);
  await db.query("update principals set disabled_at = now() where id = $1", [a]);
  const live = { id: b, generation: 2, plainGeneration: 1, disabled: false };
  assertEquals(await readCredentials(db), [live]);
  const ended = { id: a, generation: 1, plainGeneration: 1, disabled: true };
  assertEquals(await readCredentialsOf(db, [a, newId(), owner]), [ended]);
});

Deno.test("readEntriesAfter() pages through the log", strict, async () => {
  await using database = await testDatabase();
  const { db } = database;
  const { owner, room } = await makeRoom(db);
  const device = await makeDevice(db, owner);
  await join(db, room, owner, device);
  await leave(db, room, owner, device);
  const page = async (after: number, limit: number) =>
    (await readEntriesAfter(db, room, after, limit)).map(({ readAt: _, ...entry }) => entry);
  const all = await page(0, 10);
  assertEquals(all.map((entry) => [entry.seq, entry.event.type]), [
    [1, "member.joined"],
    [2, "member.joined"],
    [3, "member.removed"],
  ]);
  assertEquals(await page(1, 1), all.slice(1, 2));
  assertEquals(await page(3, 10), []);
  await db.query("update rooms set floor = 2 where id = $1", [room]);
  assertEquals(await page(0, 1), all.slice(2));
  assertEquals((await readBridgeRooms(db)).epoch, all[0]!.epoch);
});

Deno.test("readCredentials() knows the former secret until its grace is over", strict, async () => {
  await using database = await testDatabase();
  const { db } = database;
  const { owner } = await makeRoom(db);
  const device = await makeDevice(db, owner);
  await rotateDevice(db, device, owner, 60);
  const { former, ...rest } = (await readCredentials(db))[0]!;
  assertEquals(rest, { id: device, generation: 2, plainGeneration: 1, disabled: false });
  assertEquals(former!.generation, 1);
  assert(former!.endsInMs > 30_000 && former!.endsInMs <= 60_000);
  await db.query("update devices set former_until = now() where id = $1", [device]);
  assertEquals((await readCredentialsOf(db, [device]))[0]?.former, undefined);
});

Deno.test("a room of a disabled device keeps its cursor, but not its feed", strict, async () => {
  await using database = await testDatabase();
  const { db } = database;
  const { owner, room } = await makeRoom(db);
  const device = await makeDevice(db, owner);
  await join(db, room, owner, device);
  await disableDevice(db, device, owner);
  assertEquals((await readBridgeRooms(db)).rooms.map((one) => [one.room, one.firstJoined]), [
    [room, 2],
  ]);
  assertEquals(await readDevicesAt(db, room, 2), []);
  await enableDevice(db, device, owner);
  assertEquals(await readDevicesAt(db, room, 2), [
    { id: device, member: device, visibleFrom: 1 },
  ]);
});
