import { assert, assertEquals } from "@std/assert";
import { until } from "../../testing/until.ts";
import { newId } from "../ids.ts";
import { type Presence, PRESENCE_BATCH, type PresenceSession, type PresenceTimes } from "./mod.ts";

/** Registers one test of the suite. */
export type RegisterTest = (name: string, test: () => Promise<void>) => void;

/** Nothing ends during a test. */
export const LONG: PresenceTimes = { leaseMs: 60_000, graceMs: 60_000, settleMs: 0 };

/** A new session of `principal`, or of somebody new. */
export function newSession(principal = newId()): PresenceSession {
  return { principal, session: newId() };
}

/**
 * Waits until somebody is said to be offline. Somebody else stays meanwhile: when the leases of all
 * run out, it may be the store that was away.
 */
export async function untilOffline(
  presence: Presence,
  { principal }: PresenceSession,
  other = newSession(),
): Promise<void> {
  await until("it is offline", async () => {
    await presence.hold([other]);
    const online = await presence.online([principal]);
    return online !== undefined && !online.has(principal);
  });
}

/** Whether somebody is online; fails when that is not known. */
export async function isOnline(presence: Presence, { principal }: PresenceSession) {
  const online = await presence.online([principal]);
  assert(online !== undefined, "It is known");
  return online.has(principal);
}

/** What every implementation of Presence must do; `create` makes a fresh one, always known. */
export function presenceContract(
  name: string,
  create: (times: PresenceTimes) => Promise<Presence>,
  register: RegisterTest,
): void {
  const check = (
    sentence: string,
    times: Partial<PresenceTimes>,
    run: (presence: Presence) => Promise<void>,
  ) =>
    register(`${name} presence: ${sentence}`, async () => {
      await using presence = await create({ ...LONG, ...times });
      await run(presence);
    });

  check("who has a session is online, and nobody else", {}, async (presence) => {
    const [here, absent] = [newSession(), newSession()];
    assertEquals(await presence.hold([here]), [here.principal]);
    const online = await presence.online([here.principal, absent.principal]);
    assertEquals([...online!], [here.principal]);
    assertEquals(await presence.online([]), new Set());
  });

  check("only the first session of somebody comes", {}, async (presence) => {
    const first = newSession();
    const second = newSession(first.principal);
    assertEquals(await presence.hold([first, second]), [first.principal]);
    assertEquals(await presence.hold([first, newSession(first.principal)]), []);
  });

  check("several sessions make one presence", { graceMs: 1 }, async (presence) => {
    const tab = newSession();
    const phone = newSession(tab.principal);
    const other = newSession();
    await presence.hold([tab, phone, other]);
    assertEquals(await presence.release([tab, other]), true);
    await untilOffline(presence, other);
    assertEquals(await isOnline(presence, tab), true);
    await presence.release([phone]);
    await untilOffline(presence, tab);
  });

  check("a released session counts during its grace", {}, async (presence) => {
    const before = newSession();
    await presence.hold([before]);
    await presence.release([before]);
    assertEquals(await isOnline(presence, before), true);
    assertEquals(await presence.hold([newSession(before.principal)]), [], "nobody noticed");
  });

  check("a session that is not renewed ends by itself", { leaseMs: 50 }, async (presence) => {
    const lost = newSession();
    await presence.hold([lost]);
    await untilOffline(presence, lost);
    assertEquals(await presence.hold([newSession(lost.principal)]), [lost.principal]);
  });

  check("a session that is renewed stays", { leaseMs: 2_500 }, async (presence) => {
    const [kept, lost] = [newSession(), newSession()];
    await presence.hold([kept, lost]);
    await until("the other one has ended", async () => {
      assertEquals(await presence.hold([kept]), []);
      const online = await presence.online([kept.principal, lost.principal]);
      assert(online!.has(kept.principal));
      return !online!.has(lost.principal);
    });
  });

  check("a release brings nobody back", { leaseMs: 50 }, async (presence) => {
    const [lost, never] = [newSession(), newSession()];
    await presence.hold([lost]);
    await untilOffline(presence, lost);
    assertEquals(await presence.release([lost, never]), true);
    for (const one of [lost, never]) await untilOffline(presence, one);
  });

  check("what ends one session leaves a later one alone", { graceMs: 1 }, async (presence) => {
    const before = newSession();
    const after = newSession(before.principal);
    const other = newSession();
    await presence.hold([before, after, other]);
    await presence.release([before, other]);
    await untilOffline(presence, other);
    await presence.release([before]);
    assertEquals(await isOnline(presence, after), true);
  });

  check("a full batch is taken in one call", {}, async (presence) => {
    const sessions = Array.from({ length: PRESENCE_BATCH }, () => newSession());
    const principals = sessions.map(({ principal }) => principal);
    assertEquals(await presence.hold(sessions), principals);
    assertEquals((await presence.online(principals))?.size, PRESENCE_BATCH);
    assertEquals(await presence.release(sessions), true);
  });
}
