import { assertEquals } from "@std/assert";
import { until } from "../testing/until.ts";
import { every } from "./every.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test(
  "every() begins at once, never twice at a time, and goes on after a failure",
  strict,
  async () => {
    let rounds = 0;
    let under = 0;
    let most = 0;
    const failures: unknown[] = [];
    const work = every(1, async () => {
      most = Math.max(most, ++under);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
      under--;
      if (++rounds % 2 === 0) throw new Error(`round ${rounds}`);
    }, (error) => failures.push(error));
    assertEquals(under, 1);
    await until("five rounds", () => rounds >= 5);
    await work.stop();
    assertEquals([under, most], [0, 1]);
    assertEquals(failures.length, Math.floor(rounds / 2));
  },
);

Deno.test(
  "every() tells what is under way that it shall end, and waits for it",
  strict,
  async () => {
    let ended = false;
    const work = every(3_600_000, async (stopping) => {
      await new Promise((resolve) => stopping.addEventListener("abort", resolve));
      ended = true;
    }, () => {});
    await work.stop();
    assertEquals(ended, true);
  },
);
