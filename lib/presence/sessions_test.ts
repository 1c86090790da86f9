import { assertEquals } from "@std/assert";
import { until } from "../../testing/until.ts";
import { newId } from "../ids.ts";
import type { Presence, PresenceTimes } from "./mod.ts";
import { PresenceSessions } from "./sessions.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** Sessions over a store that remembers what it was told, and refuses what `refuses` says. */
function sessions(
  refuses: { hold?: boolean; release?: boolean } = {},
  times: Partial<PresenceTimes> = {},
) {
  const told = { held: [] as string[], released: [] as string[], last: [] as boolean[] };
  const presence: Presence = {
    times: { leaseMs: 60_000, graceMs: 60_000, settleMs: 0, ...times },
    hold(sessions) {
      told.held.push(...sessions.map(({ session }) => session));
      return Promise.resolve(refuses.hold ? undefined : []);
    },
    release(sessions, last = false) {
      told.released.push(...sessions.map(({ session }) => session));
      told.last.push(last);
      return Promise.resolve(!refuses.release);
    },
    online: () => Promise.resolve(new Set<string>()),
    another: () => presence,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return { told, refuses, sessions: new PresenceSessions({ presence, changed: () => {} }) };
}

Deno.test(
  "a session that begins as the last command returns is taken at once",
  strict,
  async () => {
    for (let turns = 0; turns < 12; turns++) {
      const { told, sessions: s } = sessions();
      s.open(newId(), "first");
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      s.open(newId(), "second");
      await until(`it is taken after ${turns} turns`, () => told.held.includes("second"));
      await s.stop();
    }
  },
);

Deno.test("whoever goes is let go while the store takes no leases", strict, async () => {
  const { told, refuses, sessions: s } = sessions();
  s.open(newId(), "before");
  await until("it is held", () => told.held.length === 1);
  refuses.hold = true;
  s.open(newId(), "refused");
  s.close("before");
  await until("it is let go", () => told.released.includes("before"));
  assertEquals(told.last, [false]);
  await s.stop();
});

Deno.test("a node that stops lets go also when it has just failed to", strict, async () => {
  const { told, refuses, sessions: s } = sessions({ release: true });
  s.open(newId(), "first");
  s.open(newId(), "second");
  s.close("first");
  await until("it has failed", () => told.released.length === 1);
  refuses.release = false;
  await s.stop();
  assertEquals(told.released, ["first", "first", "second"]);
  assertEquals(told.last, [false, true]);
});

Deno.test("the last release says so, and only the last", strict, async () => {
  const { told, sessions: s } = sessions();
  const names = Array.from({ length: 501 }, () => newId());
  for (const name of names) s.open(newId(), name);
  await until("all are held", () => told.held.length === names.length);
  await s.stop();
  assertEquals([told.released.length, told.last], [501, [false, true]]);
});

Deno.test("sessions that are abandoned are neither renewed nor let go", strict, async () => {
  const { told, sessions: s } = sessions({}, { leaseMs: 30 });
  s.open(newId(), "first");
  await until("it is renewed", () => told.held.length >= 2);
  s.close("first");
  s.open(newId(), "second");
  s.abandon();
  const before = [...told.held];
  const other = sessions({}, { leaseMs: 30 });
  other.sessions.open(newId(), "of another");
  await until("the other has renewed it often", () => other.told.held.length >= 5);
  await other.sessions.stop();
  await s.stop();
  assertEquals([told.held, told.released], [before, []]);
});
