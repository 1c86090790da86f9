import { assert, assertEquals } from "@std/assert";
import { DatabaseError } from "../lib/database/mod.ts";
import { laneScene } from "../testing/telemetry_lane.ts";
import { until } from "../testing/until.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("readings outlive a term that ends because the database is away", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  const lane = scene.lane();
  await lane.say(device, { t: 1 });
  await until("it is stored", () => lane.telemetry.waiting.metrics === 0);
  lane.faults.before = () => {
    throw new DatabaseError("unavailable", "As the test wants it");
  };
  for (let i = 2; i <= 40; i++) await lane.say(device, { t: i });
  await lane.depose();
  assert(lane.telemetry.waiting.metrics > 0, "nothing could be stored in time");
  delete lane.faults.before;
  await until("all is stored", () => lane.telemetry.waiting.metrics === 0);
  const [metric] = (await scene.known(device)).metrics;
  assertEquals([metric!.value, metric!.count], [40, 40]);
});
