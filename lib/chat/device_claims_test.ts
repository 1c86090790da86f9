import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type ChatScene, chatScene, newPrincipal } from "../../testing/chat.ts";
import { generateKeys, loadKeys } from "../auth/keys.ts";
import { ConfabError, type ErrorCode } from "../errors.ts";
import { createMemoryLimits } from "../limits/memory.ts";
import type { Principal } from "../auth/principal.ts";
import { deleteExpiredClaims } from "../store/device_claims.ts";
import { approveClaim, type ClaimContext, redeemClaim, startClaim } from "./device_claims.ts";
import { deleteDevice, listDevices, liveDevice } from "./devices.ts";
import { listMembers, setMember } from "./members.ts";
import { readLog } from "./messages.ts";
import { createRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const HERE = "192.0.2.1";

interface ClaimScene extends ChatScene {
  context: ClaimContext;
  person: Principal;
  room(owner: Principal): Promise<string>;
}

async function scene(loginsPerMinute = 1000): Promise<ClaimScene> {
  const made = await chatScene();
  const { refreshKey } = await loadKeys(await generateKeys());
  const accounts = { limits: createMemoryLimits(), loginsPerMinute, refreshKey };
  return {
    ...made,
    context: { chat: made.chat, accounts },
    person: await newPrincipal(made.db),
    room: async (owner) => {
      const settings = { name: "R", topic: "", visibility: "private" as const };
      return (await createRoom(made.chat, owner, settings)).id;
    },
  };
}

async function refused(work: Promise<unknown>): Promise<ErrorCode> {
  return (await assertRejects(() => work, ConfabError)).code;
}

Deno.test("a device shows a code, a person approves, the device fetches once", strict, async () => {
  await using made = await scene();
  const { context, person, chat } = made;
  const room = await made.room(person);
  const other = await made.room(person);
  const { deviceCode, userCode, expiresIn, interval } = await startClaim(
    context,
    { name: "Pump" },
    HERE,
  );
  assertMatch(userCode, /^[B-Z]{4}-[B-Z]{4}$/);
  assertEquals([expiresIn, interval], [900, 5]);
  const pending = await assertRejects(() => redeemClaim(context, deviceCode), ConfabError);
  assertEquals([pending.code, pending.retryAfter], ["claim_pending", 5]);
  const approval = { userCode: userCode.toLowerCase(), rooms: [room, other, room] };
  const { device, created } = await approveClaim(context, person, approval, HERE);
  assertEquals([device.name, created], ["Pump", true]);
  for (const each of [room, other]) {
    const { items } = await listMembers(chat, person, each, { limit: 9 });
    assert(items.some(({ principal, role }) => principal.id === device.id && role === "member"));
    const { entries } = await readLog(chat, person, each, { after: 0 }, 9);
    assertEquals(entries.map(({ seq, event }) => [seq, event.type]), [
      [1, "member.joined"],
      [2, "member.joined"],
    ]);
  }
  const again = await approveClaim(context, person, approval, HERE);
  assertEquals(again, { device, created: false }, "the answer may have been lost");
  const fetched = await redeemClaim(context, deviceCode);
  assertEquals(fetched, { device, generation: 1, username: device.id });
  assertEquals(await refused(redeemClaim(context, deviceCode)), "claim_expired");
  assert(await liveDevice(chat, device.id) !== undefined);
});

Deno.test("of many who fetch at once one gets the credentials", strict, async () => {
  await using made = await scene();
  const { context, person } = made;
  const { deviceCode, userCode } = await startClaim(context, {}, HERE);
  const approvals = await Promise.all(
    [1, 2, 3].map(() => approveClaim(context, person, { userCode, name: "N", rooms: [] }, HERE)),
  );
  assertEquals(approvals.map(({ created }) => created).sort(), [false, false, true]);
  const fetched = await Promise.allSettled(
    Array.from({ length: 8 }, () => redeemClaim(context, deviceCode)),
  );
  assertEquals(fetched.filter(({ status }) => status === "fulfilled").length, 1);
  assertEquals((await listDevices(made.chat, person, { limit: 9 })).items.length, 1);
});

Deno.test(
  "when one room refuses the device, nothing is made and the code is good",
  strict,
  async () => {
    await using made = await scene();
    const { context, person, chat, db } = made;
    const [own, foreign] = [await made.room(person), await made.room(await newPrincipal(db))];
    const owner = await newPrincipal(db);
    const plain = await made.room(owner);
    await setMember(chat, owner, plain, person.id, "member");
    const { deviceCode, userCode } = await startClaim(context, {}, HERE);
    for (const [room, code] of [[foreign, "not_found"], [plain, "forbidden"]] as const) {
      const approval = { userCode, rooms: [own, room] };
      const error = await assertRejects(
        () => approveClaim(context, person, approval, HERE),
        ConfabError,
      );
      assertEquals(error.code, code);
      assert(error.message.includes(room));
      assertEquals((await listDevices(chat, person, { limit: 9 })).items, []);
      const { head } = await readLog(chat, person, own, { after: 0 }, 9);
      assertEquals(head, 1, "nobody joined");
      assertEquals(await refused(redeemClaim(context, deviceCode)), "claim_pending");
    }
    const { device } = await approveClaim(context, person, { userCode, rooms: [own] }, HERE);
    assertEquals(device.name, "New device");
    assertEquals((await redeemClaim(context, deviceCode)).device, device);
  },
);

Deno.test(
  "codes are worth nothing to others, too late, or after the device is gone",
  strict,
  async () => {
    await using made = await scene();
    const { context, person, db, chat } = made;
    const approve = (userCode: string, as = person) =>
      approveClaim(context, as, { userCode, rooms: [] }, HERE);
    for (const userCode of ["BBBB-BBBB", "nonsense", ""]) {
      assertEquals(await refused(approve(userCode)), "not_found");
    }
    assertEquals(await refused(redeemClaim(context, "nonsense")), "claim_expired");

    const first = await startClaim(context, {}, HERE);
    assertEquals(
      await refused(approve(first.userCode, await newPrincipal(db, "guest"))),
      "forbidden",
    );
    await approve(first.userCode);
    assertEquals(await refused(approve(first.userCode, await newPrincipal(db))), "not_found");
    const [device] = (await listDevices(chat, person, { limit: 9 })).items;
    await deleteDevice(chat, person, device!.id);
    assertEquals(await refused(redeemClaim(context, first.deviceCode)), "claim_expired");
    assertEquals(await refused(approve(first.userCode)), "not_found");

    const late = await startClaim(context, {}, HERE);
    await db.query("update device_claims set expires_at = now() - interval '1 second'");
    assertEquals(await refused(approve(late.userCode)), "claim_expired");
    assertEquals(await refused(redeemClaim(context, late.deviceCode)), "claim_expired");
  },
);

Deno.test("an approval at the last moment leaves time to fetch", strict, async () => {
  await using made = await scene();
  const { context, person, db } = made;
  const { userCode } = await startClaim(context, {}, HERE);
  await db.query("update device_claims set expires_at = now() + interval '5 seconds'");
  await approveClaim(context, person, { userCode, rooms: [] }, HERE);
  const [row] = await db.query(
    "select expires_at > now() + interval '50 seconds' as later from device_claims",
  );
  assertEquals(row!.later, true);
});

Deno.test(
  "only keyed hashes of codes are stored, and expired claims are swept",
  strict,
  async () => {
    await using made = await scene();
    const { context, db } = made;
    const { deviceCode, userCode } = await startClaim(context, { name: "Pump" }, HERE);
    const [row] = await db.query("select row_to_json(c)::text as line from device_claims c");
    const line = String(row!.line);
    assert(!line.includes(deviceCode) && !line.includes(userCode));
    assert(!line.includes(userCode.replace("-", "")));
    assertEquals(await deleteExpiredClaims(db, 10), 0);
    await startClaim(context, {}, HERE);
    await db.query(
      "update device_claims set expires_at = now() - interval '1 s' where name = 'Pump'",
    );
    assertEquals(await deleteExpiredClaims(db, 10), 1);
    assertEquals(await deleteExpiredClaims(db, 10), 0);
  },
);

Deno.test("starting and guessing are throttled", strict, async () => {
  await using made = await scene(2);
  const { context, person, db } = made;
  const codes = async (count: number, work: () => Promise<unknown>) => {
    const seen: string[] = [];
    for (let i = 0; i < count; i++) {
      seen.push(await work().then(() => "ok", (error) => (error as ConfabError).code));
    }
    return seen;
  };
  const start = (address: string) => startClaim(context, {}, address);
  assertEquals(new Set(await codes(20, () => start(HERE))), new Set(["ok"]));
  assertEquals(await codes(1, () => start(HERE)), ["rate_limited"]);
  assertEquals(await codes(1, () => start("192.0.2.2")), ["ok"]);
  const guess = (as: Principal, address: string) =>
    approveClaim(context, as, { userCode: "BBBB-BBBB", rooms: [] }, address);
  assertEquals(await codes(3, () => guess(person, HERE)), [
    "not_found",
    "not_found",
    "rate_limited",
  ]);
  assertEquals(await codes(1, () => guess(person, "192.0.2.2")), ["rate_limited"]);
  const people = await Promise.all(Array.from({ length: 9 }, () => newPrincipal(db)));
  const all: string[] = [];
  for (const one of people) all.push(...await codes(2, () => guess(one, HERE)));
  // 17 of the 20 of this address were left.
  assertEquals(all.indexOf("rate_limited"), 17);
});

Deno.test(
  "a device that asks too often is slowed down, and not kept from its own",
  strict,
  async () => {
    await using made = await scene();
    const { context, person } = made;
    const keys: string[] = [];
    const { limits } = context.accounts;
    context.accounts.limits = {
      take: (key, ...rest) => {
        keys.push(key);
        return limits.take(key, ...rest);
      },
      [Symbol.asyncDispose]: () => limits[Symbol.asyncDispose](),
    };
    for (let i = 0; i < 50; i++) {
      assertEquals(await refused(redeemClaim(context, `made up ${i}`)), "claim_expired");
    }
    assertEquals(keys, [], "made-up codes are not remembered");
    const { deviceCode, userCode } = await startClaim(context, {}, HERE);
    const answers = new Map<string, number | undefined>();
    for (let i = 0; i < 60 && !answers.has("rate_limited"); i++) {
      const { code, retryAfter } = await assertRejects(
        () => redeemClaim(context, deviceCode),
        ConfabError,
      );
      answers.set(code, retryAfter);
    }
    assertEquals([...answers], [["claim_pending", 5], ["rate_limited", 10]]);
    await approveClaim(context, person, { userCode, rooms: [] }, HERE);
    assertEquals((await redeemClaim(context, deviceCode)).device.name, "New device");
  },
);
