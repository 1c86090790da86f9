import { assert, assertEquals } from "@std/assert";
import { chatNode, chatScene, newDevice, newPrincipal } from "../../testing/chat.ts";
import { openPostgres } from "../database/postgres.ts";
import type { LogEntry, RoomId } from "../protocol.ts";
import { expectDevice } from "../store/device_presence.ts";
import { bridgeStore } from "./bridge.ts";
import { alertSilence } from "./device_silence.ts";
import { removeMember, setMember } from "./members.ts";
import { createRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** A device in some rooms that should be heard every 60 s, and a bridge that has long listened. */
async function silenceScene(places = 1) {
  await using stack = new AsyncDisposableStack();
  const { chat, db, url } = stack.use(await chatScene());
  const owner = await newPrincipal(db);
  const device = await newDevice(db, owner);
  const rooms: RoomId[] = [];
  for (let i = 0; i < places; i++) {
    const { id } = await createRoom(chat, owner, { name: `R${i}`, visibility: "private" });
    await setMember(chat, owner, id, device.id, undefined);
    rooms.push(id);
  }
  const listening = (since: number, until: number) =>
    db.query(
      `insert into device_listening (name, since, until)
       values ('bridge:0', now() - make_interval(secs => $1), now() - make_interval(secs => $2))
       on conflict (name) do update set since = excluded.since, until = excluded.until`,
      [since, until],
    );
  await listening(3600, 0);
  /** As if it had been heard, and the expectation been set, so many seconds ago. */
  const heard = (seconds: number | null, expected = 3600) =>
    db.query(
      `update device_status set last_seen = now() - make_interval(secs => $2),
         expected_since = now() - make_interval(secs => $3) where device_id = $1`,
      [device.id, seconds, expected],
    );
  await expectDevice(db, device.id, owner.id, 60);
  const alerts = async (room = rooms[0]!) =>
    (await bridgeStore(chat).entries(room, 0, 1000)).flatMap(({ event }: LogEntry) =>
      event.type === "device.alert" ? [event] : []
    );
  const kinds = async (room?: RoomId) => (await alerts(room)).map(({ alert }) => alert.kind);
  const opened = stack.move();
  return {
    ...{ chat, db, url, owner, device, rooms, listening, heard, alerts, kinds },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

Deno.test("a device that falls silent is told of once in each of its rooms", strict, async () => {
  await using s = await silenceScene(3);
  await s.heard(50);
  assertEquals(await alertSilence(s.chat), 0);
  await s.heard(61);
  assertEquals(await alertSilence(s.chat), 3);
  assertEquals(await alertSilence(s.chat), 0);
  for (const room of s.rooms) assertEquals(await s.kinds(room), ["silent"]);
  const [event] = await s.alerts();
  assertEquals([event!.actor.id, event!.device.id], [s.device.id, s.device.id]);
  assertEquals(event!.alert.expectedSeconds, 60);
  assert(Math.abs(Date.parse(event!.alert.lastSeen!) - (Date.now() - 61_000)) < 10_000);
  await s.heard(0);
  assertEquals([await alertSilence(s.chat), await alertSilence(s.chat)], [3, 0]);
  await s.heard(70);
  await alertSilence(s.chat);
  for (const room of s.rooms) assertEquals(await s.kinds(room), ["silent", "back", "silent"]);
});

Deno.test("a device that was never heard counts from the expectation", strict, async () => {
  await using s = await silenceScene();
  assertEquals(await alertSilence(s.chat), 0);
  await s.heard(null, 59);
  assertEquals(await alertSilence(s.chat), 0);
  await s.heard(null, 61);
  assertEquals(await alertSilence(s.chat), 1);
  assertEquals((await s.alerts())[0]!.alert, { kind: "silent", expectedSeconds: 60 });
  await s.heard(0);
  await alertSilence(s.chat);
  assertEquals(await s.kinds(), ["silent", "back"]);
});

Deno.test("several workers at once tell each change once, in order", strict, async () => {
  await using s = await silenceScene(4);
  await using other = openPostgres(s.url);
  const workers = [s.chat, s.chat, await chatNode(other), await chatNode(other)];
  for (let i = 0; i < 6; i++) {
    await s.heard(i % 2 === 0 ? 61 : 0);
    const counts = await Promise.all(workers.map((chat) => alertSilence(chat)));
    assertEquals(counts.reduce((sum, count) => sum + count), 4);
  }
  const expected = ["silent", "back", "silent", "back", "silent", "back"];
  for (const room of s.rooms) assertEquals(await s.kinds(room), expected);
});

Deno.test("a worker that ends in the middle leaves the rest to the next", strict, async () => {
  await using s = await silenceScene(5);
  await s.heard(61);
  const stop = new AbortController();
  const db: typeof s.db = {
    ...s.db,
    query: async (text, values, options) => {
      const rows = await s.db.query(text, values, options);
      if (/append_next_alert/.test(text)) stop.abort();
      // deno-lint-ignore no-explicit-any -- handed on as it came
      return rows as any;
    },
    transaction: (...given) => s.db.transaction(...given),
  };
  assertEquals(await alertSilence({ ...s.chat, db }, stop.signal), 1);
  assertEquals(await alertSilence(s.chat), 4);
  for (const room of s.rooms) assertEquals(await s.kinds(room), ["silent"]);
});

Deno.test("a room that is locked holds up only itself, and keeps its order", strict, async () => {
  await using s = await silenceScene(3);
  const [locked, ...free] = s.rooms as [RoomId, ...RoomId[]];
  const { default: pg } = await import("pg");
  const locker = new pg.Client({ connectionString: s.url });
  await locker.connect();
  await using stack = new AsyncDisposableStack();
  stack.defer(() => locker.end());
  await locker.query("begin");
  await locker.query("select 1 from rooms where id = $1 for update", [locked]);
  await s.heard(61);
  assertEquals(await alertSilence(s.chat), 2);
  await s.heard(0);
  await alertSilence(s.chat);
  for (const room of free) assertEquals(await s.kinds(room), ["silent", "back"]);
  await locker.query("commit");
  await s.db.query("update device_alerts set due_at = now()");
  assertEquals(await alertSilence(s.chat), 2);
  assertEquals(await s.kinds(locked), ["silent", "back"]);
});

Deno.test("nobody is silent for lack of a listener", strict, async () => {
  await using s = await silenceScene();
  await s.heard(3600);
  await s.db.query("delete from device_listening");
  assertEquals(await alertSilence(s.chat), 0, "no bridge has ever listened");
  await s.listening(7200, 3550);
  assertEquals(await alertSilence(s.chat), 0, "it ended before the device was late");
  await s.listening(50, 0);
  assertEquals(await alertSilence(s.chat), 0, "it has its time to be heard by another");
  await s.listening(61, 0);
  assertEquals(await alertSilence(s.chat), 1);
  await s.heard(0);
  await alertSilence(s.chat);
  await s.db.query("update device_status set expected_seconds = 604800");
  await s.heard(605_000, 700_000);
  await s.db.query("update device_status set silent_seen = last_seen");
  await s.listening(901, 0);
  assertEquals(await alertSilence(s.chat), 1, "and 15 minutes at most");
});

Deno.test(
  "of a device that leaves, is disabled or not expected, nothing is told",
  strict,
  async () => {
    await using s = await silenceScene(2);
    await s.heard(61);
    await s.db.query("update principals set disabled_at = now() where id = $1", [s.device.id]);
    assertEquals(await alertSilence(s.chat), 0);
    await s.db.query("update principals set disabled_at = null where id = $1", [s.device.id]);
    assertEquals(await alertSilence(s.chat), 0, "it has its time again");
    await s.heard(61);
    await removeMember(s.chat, s.owner, s.rooms[0]!, s.device.id);
    assertEquals(await alertSilence(s.chat), 1);
    assertEquals([await s.kinds(s.rooms[0]), await s.kinds(s.rooms[1])], [[], ["silent"]]);
    await expectDevice(s.db, s.device.id, s.owner.id, null);
    await s.heard(0);
    assertEquals(await alertSilence(s.chat), 0);
  },
);
