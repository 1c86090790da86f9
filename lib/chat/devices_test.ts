import { assert, assertEquals, assertRejects } from "@std/assert";
import { behindLock } from "../../testing/behind_lock.ts";
import { chatScene, newPrincipal } from "../../testing/chat.ts";
import { generateKeys, loadKeys } from "../auth/keys.ts";
import type { Revocation } from "../bus/mod.ts";
import { ConfabError } from "../errors.ts";
import { createMemoryLimits } from "../limits/memory.ts";
import { approveClaim, startClaim } from "./device_claims.ts";
import {
  createDevice,
  deleteDevice,
  disableDevice,
  enableDevice,
  endFormerSecret,
  getDevice,
  listDevices,
  liveDevice,
  rotateDevice,
} from "./devices.ts";
import { listMembers, setMember } from "./members.ts";
import { readLog } from "./messages.ts";
import { createRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

async function scene() {
  const { chat, db, ...rest } = await chatScene();
  const owner = await newPrincipal(db);
  const { device: { id } } = await createDevice(chat, owner, "Lamp");
  const revoked: Revocation[] = [];
  chat.bus.listen({
    revoked: (revocation) => revoked.push(revocation),
    resumed: () => {},
    connected: () => {},
  });
  return { chat, db, owner, id, revoked, ...rest };
}

const secretsOf = async (made: Awaited<ReturnType<typeof scene>>) => {
  const { principal: _, former, ...rest } = (await liveDevice(made.chat, made.id))!;
  return { ...rest, former: former?.generation };
};

Deno.test("rotateDevice() keeps the former secret for its grace", strict, async () => {
  await using made = await scene();
  const { chat, db, owner, id, revoked } = made;
  assertEquals(await secretsOf(made), { generation: 1, plainGeneration: 1, former: undefined });
  const rotated = await rotateDevice(chat, owner, id, 60);
  assertEquals([rotated.generation, rotated.username], [2, `${id}.2`]);
  assertEquals(await secretsOf(made), { generation: 2, plainGeneration: 1, former: 1 });
  assertEquals(revoked, [{ device: id }], "nothing ends");
  await db.query("update devices set former_until = now() where id = $1", [id]);
  assertEquals(await secretsOf(made), { generation: 2, plainGeneration: 1, former: undefined });
  assertEquals("formerSecretUntil" in await getDevice(chat, owner, id), false);
  await rotateDevice(chat, owner, id, 60);
  assertEquals(await secretsOf(made), { generation: 3, plainGeneration: 1, former: 2 });
  revoked.length = 0;
  await endFormerSecret(chat, owner, id);
  assertEquals(await secretsOf(made), { generation: 3, plainGeneration: 1, former: undefined });
  assertEquals(revoked.splice(0), [{ device: id }], "the bridge asks what is good");
  await rotateDevice(chat, owner, id);
  assertEquals(await secretsOf(made), { generation: 4, plainGeneration: 1, former: undefined });
  assertEquals(revoked, [{ principal: id }]);
});

Deno.test("rotating again while a former secret is good makes no third", strict, async () => {
  await using made = await scene();
  const { chat, owner, id } = made;
  const both = await Promise.all([1, 2, 3].map(() => rotateDevice(chat, owner, id, 60)));
  assertEquals(both.map(({ generation }) => generation), [2, 2, 2]);
  assertEquals(await secretsOf(made), { generation: 2, plainGeneration: 1, former: 1 });
});

Deno.test(
  "what was rotated before there were other usernames keeps the plain id",
  strict,
  async () => {
    await using made = await scene();
    const { chat, db, owner, id } = made;
    await db.query("update devices set generation = 5, plain_generation = 5 where id = $1", [id]);
    assertEquals(await secretsOf(made), { generation: 5, plainGeneration: 5, former: undefined });
    const next = await rotateDevice(chat, owner, id, 60);
    assertEquals([next.generation, next.username], [6, `${id}.6`]);
  },
);

Deno.test(
  "a disabled device has no access, is shown, and comes back as it was",
  strict,
  async () => {
    await using made = await scene();
    const { chat, owner, id, revoked } = made;
    const before = await getDevice(chat, owner, id);
    const { disabledAt, ...rest } = await disableDevice(chat, owner, id);
    assertEquals(rest, before);
    assertEquals(
      (await disableDevice(chat, owner, id)).disabledAt,
      disabledAt,
      "the first time counts",
    );
    assertEquals(await liveDevice(chat, id), undefined);
    assertEquals((await listDevices(chat, owner, { limit: 5 })).items, [{
      ...rest,
      disabledAt: disabledAt!,
    }]);
    const rotated = await rotateDevice(chat, owner, id);
    assertEquals(rotated.device.disabledAt, disabledAt, "a new secret gives no access");
    revoked.length = 0;
    assertEquals(await enableDevice(chat, owner, id), before);
    assertEquals(await enableDevice(chat, owner, id), before);
    assertEquals(revoked, [{ device: id }, { device: id }]);
    assert(await liveDevice(chat, id) !== undefined);
  },
);

Deno.test("a disabled device stays a member until it is deleted", strict, async () => {
  await using made = await scene();
  const { chat, owner, id } = made;
  const room = (await createRoom(chat, owner, { name: "R", topic: "", visibility: "private" })).id;
  await setMember(chat, owner, room, id, "member");
  await disableDevice(chat, owner, id);
  const ids = async () =>
    (await listMembers(chat, owner, room, { limit: 9 })).items.map(({ principal }) => principal.id);
  assertEquals((await ids()).sort(), [owner.id, id].sort());
  await deleteDevice(chat, owner, id);
  assertEquals(await ids(), [owner.id]);
  const { entries } = await readLog(chat, owner, room, { after: 0 }, 10);
  assertEquals(entries.map(({ event }) => event.type).at(-1), "member.removed");
  assertEquals((await listDevices(chat, owner, { limit: 5 })).items, []);
});

Deno.test("deleted is for good, however the two meet", strict, async () => {
  for (let i = 0; i < 5; i++) {
    await using made = await scene();
    const { chat, db, owner, id } = made;
    await disableDevice(chat, owner, id);
    await Promise.allSettled([
      ...[1, 2, 3].map(() => enableDevice(chat, owner, id)),
      deleteDevice(chat, owner, id),
      ...[1, 2, 3].map(() => enableDevice(chat, owner, id)),
    ]);
    const actions = [disableDevice, enableDevice, rotateDevice, getDevice, deleteDevice];
    for (const action of actions) {
      const error = await assertRejects(() => action(chat, owner, id), ConfabError);
      assertEquals(error.code, "not_found");
    }
    const [row] = await db.query("select disabled_at from principals where id = $1", [id]);
    assert(row!.disabled_at !== null);
    assertEquals(await liveDevice(chat, id), undefined);
  }
});

Deno.test("one has no more devices than one may, however many come at once", strict, async () => {
  await using made = await scene();
  const { chat, db, owner } = made;
  await db.query(
    `with p as (
       insert into principals (id, kind, role, name)
       select gen_random_uuid(), 'device', 'device', 'D' from generate_series(1, 994) returning id)
     insert into devices (id, owner_id) select p.id, $1 from p`,
    [owner.id],
  );
  const { refreshKey } = await loadKeys(await generateKeys());
  const accounts = { limits: createMemoryLimits(), loginsPerMinute: 1000, refreshKey };
  const claims = { chat, accounts };
  const codes = await Promise.all([1, 2, 3, 4].map(() => startClaim(claims, {}, "192.0.2.1")));
  const held = { url: made.url, lock: "lock table devices in share mode", waiters: 10 };
  await behindLock(held, () =>
    Promise.allSettled([
      ...codes.map(({ userCode }) =>
        approveClaim(claims, owner, { userCode, rooms: [] }, "192.0.2.1")
      ),
      ...[1, 2, 3].map((i) => createDevice(chat, owner, `D ${i}`)),
      ...[1, 2, 3].map((i) => createDevice(chat, owner, `P ${i}`, "person")),
    ]));
  const [row] = await db.query<{ count: number }>(
    "select count(*) from devices where owner_id = $1",
    [owner.id],
  );
  assertEquals(row, { count: 1000 });
});

Deno.test(
  "disabled devices count among those that one may have, deleted ones do not",
  strict,
  async () => {
    await using made = await scene();
    const { chat, db, owner, id } = made;
    await db.query(
      `with p as (
       insert into principals (id, kind, role, name)
       select gen_random_uuid(), 'device', 'device', 'D' from generate_series(1, 999) returning id)
     insert into devices (id, owner_id) select p.id, $1 from p`,
      [owner.id],
    );
    await disableDevice(chat, owner, id);
    await assertRejects(() => createDevice(chat, owner, "One more"), ConfabError);
    await deleteDevice(chat, owner, id);
    await createDevice(chat, owner, "One more");
  },
);
