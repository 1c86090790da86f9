import { assert, assertEquals } from "@std/assert";
import { behindLock } from "../../testing/behind_lock.ts";
import { chatScene, newDevice, newLease, newPrincipal } from "../../testing/chat.ts";
import type { Database } from "../database/mod.ts";
import {
  expectDevice,
  readOnlineDevices,
  readStatus,
  readTraits,
  saveHeard,
  sayStatus,
} from "./device_presence.ts";
import { takeLease } from "./bridge_lease.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

type Session = number | string | undefined;

/** A device of `owner`, and what it says: the outcomes of births and last wills in their order. */
async function deviceScene() {
  const scene = await chatScene();
  const { db } = scene;
  const owner = await newPrincipal(db);
  const { id } = await newDevice(db, owner);
  const lease = await newLease(db);
  const say = async (online: boolean, session: Session, device = id) => {
    const said = session === undefined ? { online } : { online, session };
    return (await sayStatus(db, lease, device, said, true))?.outcome;
  };
  return {
    ...{ db, url: scene.url, owner, id, lease, say },
    birth: (session?: Session) => say(true, session),
    will: (session?: Session) => say(false, session),
    status: async () => (await readStatus(db, id, owner.id))!,
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}

Deno.test("a late last will never ends a newer session", strict, async () => {
  for (const [old, next] of [[9, 10], ["2026-03-01T09:59", "2026-03-01T10:00"], ["B", "a"]]) {
    await using s = await deviceScene();
    assertEquals(await s.birth(old), "born");
    assertEquals(await s.birth(next), "born");
    assertEquals(await s.will(old), "ignored");
    assertEquals((await s.status()).online, true, `${next} is newer than ${old}`);
    assertEquals(await s.will(next), "gone");
    assertEquals(await s.birth(old), "ignored");
    assertEquals((await s.status()).online, false);
  }
});

Deno.test(
  "a last will of a session whose birth was lost ends what was before it",
  strict,
  async () => {
    await using s = await deviceScene();
    await s.birth(1);
    assertEquals(await s.will(2), "gone");
    assertEquals(await s.birth(1), "ignored", "the birth of the session before comes late");
    assertEquals(await s.birth(2), "born", "the same session is not older");
  },
);

Deno.test("without a session the last one said wins", strict, async () => {
  await using s = await deviceScene();
  const outcomes = [
    await s.will(),
    await s.birth(),
    await s.birth(),
    await s.will(),
    await s.will(),
  ];
  assertEquals(outcomes, ["same", "born", "same", "gone", "same"]);
  assertEquals([await s.birth(7), await s.will()], ["born", "ignored"], "but for such a will");
  assertEquals([await s.birth(), await s.will(3)], ["born", "gone"], "nothing is known to compare");
  assertEquals([await s.birth("a"), await s.birth(1)], ["born", "born"], "a word and a number");
});

Deno.test("what a device has said changes nothing when it is shown again", strict, async () => {
  await using s = await deviceScene();
  await s.birth(1);
  const before = await s.status();
  const [stay] = await readOnlineDevices(s.db, null, 10);
  for (let i = 0; i < 5; i++) assertEquals(await s.birth(1), "same");
  assertEquals(await s.status(), before);
  assertEquals(await readOnlineDevices(s.db, null, 10), [stay!]);
  await s.will(1);
  const gone = await s.status();
  assertEquals([await s.will(1), await s.status()], ["same", gone]);
});

Deno.test("of many that are said at once the newest session is what stands", strict, async () => {
  await using s = await deviceScene();
  const sessions = Array.from({ length: 20 }, (_, i) => i + 1);
  await Promise.all(sessions.flatMap((n) => [s.birth(n), n < 20 ? s.will(n) : undefined]));
  assertEquals((await s.status()).online, true);
  assertEquals(await s.will(19), "ignored");
  assertEquals(await s.will(20), "gone");
});

/** As if that long had passed since everything that is known of births. */
async function age(db: Database, seconds: number): Promise<void> {
  await db.query(
    `update device_status set births =
       array(select b - make_interval(secs => $1) from unnest(births) b order by b)`,
    [seconds],
  );
}

Deno.test("a device is unstable from the fourth birth in two minutes on", strict, async () => {
  await using s = await deviceScene();
  const unstable = async () => (await s.status()).unstable;
  for (let session = 1; session <= 3; session++) await s.birth(session);
  assertEquals(await unstable(), false);
  await age(s.db, 121);
  await s.birth(4);
  assertEquals(await unstable(), false, "the three before are old");
  for (let session = 5; session <= 7; session++) await s.birth(session);
  assertEquals(await unstable(), true);
  await age(s.db, 100);
  assertEquals(await unstable(), true, "no two minutes without a birth");
  await s.birth(8);
  await age(s.db, 100);
  assertEquals(await unstable(), true, "a birth within them prolongs it");
  await age(s.db, 21);
  assertEquals(await unstable(), false);
  assertEquals((await readTraits(s.db, [s.id])).get(s.id)?.unstable, false);
  await s.birth(9);
  assertEquals(await unstable(), false, "it begins anew");
});

Deno.test("a device whose access ends is gone, and can come back", strict, async () => {
  await using s = await deviceScene();
  const access = (value: string) =>
    s.db.query(`update principals set disabled_at = ${value} where id = $1`, [s.id]);
  await s.birth(1);
  await access("now()");
  assertEquals((await s.status()).online, false);
  assertEquals(await s.birth(2), "unknown");
  assertEquals(await readOnlineDevices(s.db, null, 10), []);
  await access("null");
  assertEquals((await s.status()).online, false, "until it says so");
  assertEquals(await s.birth(1), "born");
  assertEquals(await s.say(true, 1, s.owner.id), "unknown", "only devices");
});

Deno.test("devices that are online are read in pages", strict, async () => {
  await using s = await deviceScene();
  const more = await Promise.all(Array.from({ length: 4 }, () => newDevice(s.db, s.owner)));
  const ids = [s.id, ...more.map(({ id }) => id)].sort();
  for (const id of ids) await s.say(true, 1, id);
  await s.say(false, 1, ids[2]);
  const first = await readOnlineDevices(s.db, null, 2);
  const rest = await readOnlineDevices(s.db, ids[1]!, 10);
  assertEquals([...first, ...rest].map(({ device }) => device), ids.filter((_, i) => i !== 2));
});

Deno.test("when devices were heard is stored by the holder of the lease only", strict, async () => {
  await using s = await deviceScene();
  const lastSeen = async () => (await s.status()).lastSeen?.getTime();
  const term = (await takeLease(s.db, "bridge:0", "me", 60_000))!;
  const lease = { name: "bridge:0", holder: "me", term };
  const heard = (agoMs: number) => ({
    devices: [{ device: s.id, agoMs }],
    listened: { fromMs: 90_000, toMs: 0 },
  });
  assertEquals(await lastSeen(), undefined);
  assertEquals(await saveHeard(s.db, { ...lease, holder: "another" }, heard(0)), false);
  assertEquals(await lastSeen(), undefined);
  assertEquals(await saveHeard(s.db, lease, heard(60_000)), true);
  const first = (await lastSeen())!;
  assert(Math.abs(first - (Date.now() - 60_000)) < 10_000, "by the clock of the database");
  await saveHeard(s.db, lease, { devices: [{ device: s.id, agoMs: 120_000 }] });
  assertEquals(await lastSeen(), first, "never back");
  const [row] = await s.db.query<{ heard: number }>(
    "select extract(epoch from until - since)::int8 as heard from device_listening",
  );
  assertEquals(row?.heard, 85);
  await saveHeard(s.db, lease, { devices: [{ device: s.owner.id, agoMs: 0 }] });
  assertEquals((await readTraits(s.db, [s.owner.id])).size, 0, "people are no devices");
});

Deno.test("what a device says is taken in the lease's term only", strict, async () => {
  await using s = await deviceScene();
  assertEquals(await s.birth(1), "born");
  await s.db.query("update leases set expires_at = now()");
  assertEquals(await s.will(1), undefined, "it has run out");
  const next = (await takeLease(s.db, s.lease.name, "the next", 60_000))!;
  assertEquals(await s.will(1), undefined, "another holds it");
  assertEquals((await s.status()).online, true);
  const other = await newDevice(s.db, s.owner);
  assertEquals(await s.say(true, 1, other.id), undefined, "also of one that never spoke");
  const lease = { name: s.lease.name, holder: "the next", term: next };
  const said = await sayStatus(s.db, lease, s.id, { online: false, session: 1 }, true);
  assertEquals(said?.outcome, "gone");
});

Deno.test("a bridge that waited past its term changes nothing", strict, async () => {
  await using s = await deviceScene();
  await s.birth(1);
  const said = await behindLock({
    url: s.url,
    lock: "select from device_status for update",
    waiters: 1,
    meanwhile: () => s.db.query("update leases set term = term + 1"),
  }, () => s.will(1));
  assertEquals([said, (await s.status()).online], [undefined, true]);
});

Deno.test("an expectation is the owner's, and counts from when it is another", strict, async () => {
  await using s = await deviceScene();
  const stranger = await newPrincipal(s.db);
  const since = async () =>
    (await s.db.query<{ at: Date }>("select expected_since as at from device_status"))[0]!.at;
  assertEquals(await expectDevice(s.db, s.id, stranger.id, 60), false);
  assertEquals(await expectDevice(s.db, s.id, s.owner.id, 60), true);
  const first = await since();
  await expectDevice(s.db, s.id, s.owner.id, 60);
  assertEquals(await since(), first);
  await expectDevice(s.db, s.id, s.owner.id, 61);
  assert(await since() > first);
  assertEquals((await s.status()).expectedSeconds, 61);
  await expectDevice(s.db, s.id, s.owner.id, null);
  assertEquals([(await s.status()).expectedSeconds, await since()], [null, null]);
  assertEquals(await readStatus(s.db, s.id, stranger.id), undefined);
});
