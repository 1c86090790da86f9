import { assertEquals, assertRejects } from "@std/assert";
import { laneScene } from "../testing/telemetry_lane.ts";
import { DatabaseError } from "../lib/database/mod.ts";
import { ConfabError } from "../lib/errors.ts";
import { until } from "../testing/until.ts";
import { forgetTelemetry, rollUp } from "./telemetry.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const running = new AbortController().signal;

Deno.test(
  "rollUp() keeps each length of buckets for its time, beside other workers",
  strict,
  async () => {
    await using scene = await laneScene();
    const { db } = scene.scene;
    const device = await scene.device();
    const lane = scene.lane();
    const now = Date.now();
    for (let minutes = 0; minutes < 23 * 60; minutes += 10) {
      const at = new Date(now - minutes * 60_000).toISOString();
      await lane.say(device, { readings: [{ metric: "t", value: 1, at }] });
    }
    await lane.stop();
    await Promise.all([rollUp(db, running), rollUp(db, running), rollUp(db, running)]);
    const rows = async () =>
      await db.query<{ seconds: number; buckets: number; readings: number }>(
        `select seconds, count(*) as buckets, sum(count)::int as readings from telemetry_buckets
       group by seconds order by seconds`,
      );
    const [ten, minute, hour] = await rows();
    assertEquals([ten!.seconds, minute!.seconds, hour!.seconds], [10, 60, 3600]);
    assertEquals(ten!.readings, 7, "of an hour, the newest too");
    // The newest is not rolled up before its ten seconds are over
    assertEquals([minute!.readings, hour!.readings], [137, 137]);
    await db.query("update telemetry_buckets set at = at - interval '25 hours' where seconds = 60");
    await rollUp(db, running);
    assertEquals((await rows()).map(({ seconds }) => seconds), [10, 3600]);
    await db.query(
      "update telemetry_buckets set at = at - interval '31 days' where seconds = 3600",
    );
    await rollUp(db, running);
    assertEquals((await rows()).map(({ seconds }) => seconds), [10]);
  },
);

Deno.test(
  "forgetTelemetry() forgets old metrics, and what devices that left had",
  strict,
  async () => {
    await using scene = await laneScene();
    const { scene: { db }, room } = scene;
    const [stays, goes] = [await scene.device(), await scene.device()];
    const lane = scene.lane();
    for (const device of [stays, goes]) {
      await scene.rules(device, [{ id: "a", metric: "t", kind: "above", threshold: 1 }]);
      await lane.say(device, { t: 1, old: 1 });
    }
    await until("they are stored", async () => (await scene.known(goes)).metrics.length === 2);
    await lane.stop();
    await db.query(
      "update telemetry_latest set stored_at = now() - interval '31 days' where metric = 'old'",
    );
    await db.query("update telemetry_writers set at = now() - interval '8 days'");
    await db.query("delete from members where room_id = $1 and principal_id = $2", [room, goes.id]);
    await forgetTelemetry(db, running);
    assertEquals((await scene.known(stays)).metrics.map(({ metric }) => metric), ["t"]);
    const left = await db.query<{ device_id: string }>("select device_id from telemetry_rules");
    assertEquals(left.map(({ device_id }) => device_id), [stays.id]);
    assertEquals(await db.query("select 1 from telemetry_writers"), []);
  },
);

Deno.test("metrics that were named by mistake give way a day later", strict, async () => {
  await using scene = await laneScene();
  const { scene: { db } } = scene;
  const device = await scene.device();
  await scene.rules(device, [{ id: "a", metric: "ruled", kind: "above", threshold: 1 }]);
  const lane = scene.lane();
  const count = async () => (await scene.known(device)).metrics.length;
  const wrong = Object.fromEntries(Array.from({ length: 61 }, (_, i) => [`wrong${i}`, 1]));
  await lane.say(device, { ruled: 1, fresh: 1, ...wrong });
  await until("they are stored", async () => await count() === 63);
  const old = "update telemetry_latest set stored_at = now() - interval '26 hours' where metric ";
  await db.query(`${old} <> 'fresh'`);
  await forgetTelemetry(db, running);
  assertEquals(await count(), 63, "there is room for one more");
  await lane.say(device, { last: 1 });
  await until("it is stored", async () => await count() === 64);
  await assertRejects(() => lane.say(device, { right: 1 }), ConfabError);
  await db.query(`${old} in ('ruled', 'wrong0')`);
  await forgetTelemetry(db, running);
  const names = (await scene.known(device)).metrics.map(({ metric }) => metric);
  assertEquals(names, ["fresh", "last", "ruled"]);
  await lane.stop();
  await scene.lane().say(device, { right: 1 });
});

Deno.test("a batch counts once although its answer was lost for hours", strict, async () => {
  await using scene = await laneScene();
  const { scene: { db } } = scene;
  const device = await scene.device();
  const lane = scene.lane();
  let lost = false;
  lane.faults.before = (text) => {
    if (lost && /store_telemetry/.test(text)) throw new DatabaseError("unavailable", "It is away");
  };
  lane.faults.after = (text) => {
    if (!/store_telemetry/.test(text)) return;
    lost = true;
    throw new DatabaseError("unknown", "The answer is lost");
  };
  await lane.say(device, { t: 1 });
  await until("the answer is lost", () => lost);
  await db.query("update telemetry_writers set at = now() - interval '5 hours'");
  await forgetTelemetry(db, running);
  delete lane.faults.before;
  delete lane.faults.after;
  await until("it is stored", () => lane.telemetry.waiting.metrics === 0);
  assertEquals((await scene.known(device)).metrics.map(({ count }) => count), [1]);
});

Deno.test("rollUp() ends early when it is asked to", strict, async () => {
  await using scene = await laneScene();
  assertEquals(await rollUp(scene.scene.db, AbortSignal.abort()), 0);
});
