import { assert, assertEquals } from "@std/assert";
import { until } from "../testing/until.ts";
import { Expiries } from "./expiries.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("Expiries calls back once for each end, in time and in order", strict, async () => {
  const due: string[] = [];
  const startedAt = performance.now();
  let firstAt = 0;
  const expiries = new Expiries((ids) => {
    firstAt ||= performance.now();
    due.push(...ids);
  });
  expiries.set("never", 3600_000);
  expiries.set("second", 60);
  expiries.set("first", 20);
  expiries.set("taken back", 30);
  expiries.set("later", 1);
  expiries.set("later", 100);
  expiries.set("taken back", undefined);
  await until("all are due", () => due.length >= 3);
  assertEquals(due, ["first", "second", "later"]);
  assert(firstAt - startedAt >= 20);
  expiries.set("past", -5);
  await until("one that is over", () => due.length >= 4);
  assertEquals(due.at(-1), "past");
  expiries.stop();
});

Deno.test("Expiries takes ends that are weeks away", strict, () => {
  const due: string[] = [];
  const expiries = new Expiries((ids) => due.push(...ids));
  expiries.set("far", 60 * 86_400_000);
  expiries.stop();
  assertEquals(due, []);
});
