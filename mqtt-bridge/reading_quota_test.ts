import { assertEquals, assertThrows } from "@std/assert";
import { ConfabError } from "../lib/errors.ts";
import { ReadingQuota, TELL_MS } from "./reading_quota.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("ReadingQuota grants the burst at once, then the rate, to each device", strict, () => {
  let now = 0;
  const quota = new ReadingQuota({ perSecond: 50, burst: 500 }, () => now);
  const granted = (device: string, readings: number) => {
    let taken = 0;
    while (quota.take(device, readings)) taken += readings;
    return taken;
  };
  assertEquals([granted("a", 1), granted("b", 100)], [500, 500]);
  now = 1000;
  assertEquals([granted("a", 1), granted("b", 10)], [50, 50]);
  now = 3_600_000;
  assertEquals(granted("a", 1), 500, "no more than the burst is saved up");
});

Deno.test("ReadingQuota takes all readings of a publish or none", strict, () => {
  let now = 0;
  const quota = new ReadingQuota({ perSecond: 1, burst: 10 }, () => now);
  assertEquals([quota.take("a", 7), quota.take("a", 4), quota.take("a", 3)], [true, false, true]);
  now = 10_000;
  assertEquals(quota.take("a", 200), true, "more than the burst takes all of it");
  assertEquals(quota.take("a", 0), false, "also nothing costs something");
});

Deno.test("ReadingQuota tells a device of the same error once in ten seconds", strict, () => {
  let now = 0;
  const quota = new ReadingQuota({ perSecond: 1, burst: 1 }, () => now);
  const codes: string[] = [];
  const refuse = (device: string, code: "rate_limited" | "too_many_metrics") => {
    try {
      quota.refuse(device, code);
    } catch (error) {
      codes.push(`${device} ${(error as ConfabError).code}`);
    }
  };
  for (; now < TELL_MS; now += 100) refuse("a", "rate_limited");
  refuse("a", "too_many_metrics");
  refuse("b", "rate_limited");
  refuse("a", "rate_limited"); // ten seconds after the first
  assertEquals(codes, [
    "a rate_limited",
    "a too_many_metrics",
    "b rate_limited",
    "a rate_limited",
  ]);
  now += TELL_MS;
  assertThrows(() => quota.refuse("a", "too_many_metrics"), ConfabError);
});
