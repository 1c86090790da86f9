import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConfabError } from "../errors.ts";
import { Admission, overloaded } from "./admission.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const LIMITS = { sockets: 10, connectsPerSecond: 1, joins: 6, loopDelayMs: 200 };

function scene(limits: Partial<typeof LIMITS> = {}) {
  const load = { connections: 0, joins: 0, delayMs: 0, short: false };
  const reasons: unknown[] = [];
  const admission = new Admission(
    { ...LIMITS, ...limits },
    {
      connections: () => load.connections,
      joins: () => load.joins,
      delayMs: () => load.delayMs,
      memoryIsShort: () => load.short,
    },
    { add: (labels) => reasons.push(...labels ?? []) },
  );
  return { admission, load, reasons };
}

Deno.test("Admission refuses for each reason, and counts it", strict, () => {
  const { admission, load, reasons } = scene();
  const cases = [
    ["sockets", { connections: 10 }],
    ["memory", { short: true }],
    ["event_loop", { delayMs: 200 }],
    ["joins", { joins: 3 }],
  ] as const;
  for (const [_, full] of cases) {
    const idle = { ...load };
    Object.assign(load, full);
    const error = assertThrows(() => admission.check(), ConfabError);
    assertEquals([error.code, error.status], ["overloaded", 503]);
    Object.assign(load, idle);
    admission.check();
  }
  assertEquals(reasons, cases.map(([reason]) => reason));
});

Deno.test("Admission takes so many at once; those that fail do not count", strict, async () => {
  const { admission, reasons } = scene();
  for (let i = 0; i < 20; i++) {
    admission.check();
    const failed = admission.during(() => Promise.reject(new ConfabError("token_invalid")));
    assertEquals((await assertRejects(() => failed, ConfabError)).code, "token_invalid");
  }
  for (let i = 0; i < 4; i++) assertEquals(await admission.during(() => Promise.resolve(i)), i);
  const more = () => admission.during(() => Promise.resolve());
  assertEquals((await assertRejects(more, ConfabError)).code, "overloaded");
  assertEquals(reasons, ["connects"]);
});

Deno.test("Admission counts those who are being identified", strict, async () => {
  const { admission, reasons } = scene({ sockets: 2 });
  const opened = Promise.withResolvers<void>();
  const opening = [1, 2].map(() => admission.during(() => opened.promise));
  assertThrows(() => admission.check(), ConfabError);
  opened.resolve();
  await Promise.all(opening);
  admission.check();
  assertEquals(reasons, ["sockets"]);
});

Deno.test("overloaded() spreads those who come back", strict, () => {
  const waits = Array.from({ length: 100 }, () => overloaded().retryAfter!);
  assert(waits.every((seconds) => seconds >= 2 && seconds <= 10));
  assert(new Set(waits).size > 50);
});
