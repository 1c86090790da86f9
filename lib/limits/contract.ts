import { assert, assertEquals } from "@std/assert";
import { newId } from "../ids.ts";
import type { Limits } from "./mod.ts";

/** Registers one test of the suite. */
export type RegisterTest = (name: string, test: () => Promise<void>) => void;

/** What every implementation of Limits must do; `create` makes a fresh one. */
export function limitsContract(
  name: string,
  create: () => Promise<Limits>,
  register: RegisterTest,
): void {
  const check = (sentence: string, run: (limits: Limits, key: string) => Promise<void>) =>
    register(`${name} limits: ${sentence}`, async () => {
      await using limits = await create();
      await run(limits, `test:${newId()}`);
    });

  check("the burst is granted, the next is refused with a wait", async (limits, key) => {
    const rate = { perSecond: 0.01, burst: 3 };
    for (let i = 0; i < 3; i++) {
      assertEquals(await limits.take(key, rate), { granted: true, retryAfter: 0 });
    }
    const refused = await limits.take(key, rate);
    assertEquals(refused.granted, false);
    assert(refused.retryAfter > 50 && refused.retryAfter <= 100, `${refused.retryAfter} s`);
  });

  check("a refused request takes nothing", async (limits, key) => {
    const rate = { perSecond: 0.01, burst: 5 };
    assertEquals((await limits.take(key, rate, 3)).granted, true);
    assertEquals((await limits.take(key, rate, 4)).granted, false);
    assertEquals((await limits.take(key, rate, 2)).granted, true);
  });

  check("keys do not share a quota", async (limits, key) => {
    const rate = { perSecond: 0.01, burst: 1 };
    assertEquals((await limits.take(`${key}:a`, rate)).granted, true);
    assertEquals((await limits.take(`${key}:a`, rate)).granted, false);
    assertEquals((await limits.take(`${key}:b`, rate)).granted, true);
  });

  check("the quota refills with time", async (limits, key) => {
    const rate = { perSecond: 200, burst: 1 };
    assertEquals((await limits.take(key, rate)).granted, true);
    const deadline = Date.now() + 5_000;
    let granted = false;
    while (!granted && Date.now() < deadline) granted = (await limits.take(key, rate)).granted;
    assert(granted, "the quota did not come back");
  });

  check("a cost above the burst is never granted", async (limits, key) => {
    const refused = await limits.take(key, { perSecond: 100, burst: 2 }, 3);
    assertEquals(refused, { granted: false, retryAfter: 3600 });
  });

  check("concurrent requests are granted no more than the burst", async (limits, key) => {
    const rate = { perSecond: 0.01, burst: 7 };
    const grants = await Promise.all(Array.from({ length: 30 }, () => limits.take(key, rate)));
    assertEquals(grants.filter((grant) => grant.granted).length, 7);
  });
}
