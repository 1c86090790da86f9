import { assertEquals } from "@std/assert";
import { takeNames, TelemetrySources } from "./telemetry_sources.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("names that are forgotten in the database make room in the bridge", strict, async () => {
  const pair = { room: "r", device: "d" };
  const place = { ...pair, joinedSeq: 1, reader: false, newest: {}, rules: [] };
  let metrics = Array.from({ length: 64 }, (_, i) => `wrong${i}`);
  const sources = new TelemetrySources(
    { places: () => Promise.resolve([{ ...place, metrics }]) },
    { adopt: () => [] },
  );
  const source = await sources.get(pair);
  assertEquals(takeNames(source, ["right"]), false);
  metrics = ["wrong0"];
  sources.expire(pair);
  await sources.refresh();
  assertEquals(takeNames(source, ["right"]), true);
  sources.expire(pair);
  await sources.refresh();
  assertEquals([...source.metrics.keys()].sort(), ["right", "wrong0"], "it is not stored yet");
});
