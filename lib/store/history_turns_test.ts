import { assert, assertEquals, assertRejects } from "@std/assert";
import { DatabaseError } from "../database/mod.ts";
import { ConfabError } from "../errors.ts";
import { HistoryTurns } from "./history_turns.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** Reads that end when they are told to; `started` names whose began, in order. */
function heldReads(turns: HistoryTurns) {
  const started: string[] = [];
  const held: (() => void)[] = [];
  const settle = () => new Promise((resolve) => setTimeout(resolve));
  return {
    started,
    read: (principal: string) =>
      turns.run(principal, () => {
        started.push(principal);
        return new Promise<void>((end) => held.push(end));
      }),
    /** Ends the oldest read. */
    async end() {
      held.shift()!();
      await settle();
    },
    async endAll() {
      while (held.length > 0) await this.end();
    },
    settle,
  };
}

Deno.test(
  "one principal reads three times at once and leaves connections free",
  strict,
  async () => {
    const reads = heldReads(new HistoryTurns(10));
    const all = Array.from({ length: 20 }, () => reads.read("greedy"));
    all.push(reads.read("other"));
    await reads.settle();
    assertEquals(reads.started, ["greedy", "greedy", "greedy", "other"]);
    await reads.endAll();
    await Promise.all(all);
    assertEquals(reads.started.length, 21);
  },
);

Deno.test("all together leave connections to the sends, and take turns", strict, async () => {
  const reads = heldReads(new HistoryTurns(5)); // three at once
  const all = [1, 2, 3, 4].map(() => reads.read("a"));
  for (const name of ["b", "b", "c"]) all.push(reads.read(name));
  await reads.settle();
  assertEquals(reads.started, ["a", "a", "a"]);
  for (let i = 0; i < 4; i++) await reads.end();
  assertEquals(reads.started.slice(3), ["a", "b", "c", "b"]);
  await reads.endAll();
  await Promise.all(all);
});

Deno.test("whoever waits too long is told whose fault it is", strict, async () => {
  const turns = new HistoryTurns(5, 20);
  const reads = heldReads(turns);
  const running = [1, 2, 3].map(() => reads.read("a"));
  const own = await assertRejects(() => reads.read("a"), ConfabError);
  assertEquals(own.code, "rate_limited");
  const other = await assertRejects(() => reads.read("b"), DatabaseError);
  assertEquals(other.failure, "unavailable");
  await reads.endAll();
  await Promise.all(running);
  assertEquals([reads.started, turns.size], [["a", "a", "a"], 0]);
});

Deno.test("a read that fails gives its turn on", strict, async () => {
  const turns = new HistoryTurns(1);
  const failing = turns.run("a", () => Promise.reject(new Error("no")));
  const waiting = turns.run("b", () => Promise.resolve("read"));
  const error = await assertRejects(() => failing, Error);
  assert(error.message === "no");
  assertEquals(await waiting, "read");
});
