import { assertEquals } from "@std/assert";
import type { Principal } from "../lib/auth/principal.ts";
import type { TelemetryRule } from "../lib/protocol.ts";
import { readDueRules } from "../lib/store/telemetry_rules.ts";
import { type LaneScene, laneScene } from "../testing/telemetry_lane.ts";
import { until } from "../testing/until.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const PENDING = `'{"text": "hot"}'`;

async function disable({ scene: { db } }: LaneScene, device: Principal): Promise<void> {
  await db.query("update principals set disabled_at = now() where id = $1", [device.id]);
}

Deno.test("rules of devices whose access has ended hold nobody else's up", strict, async () => {
  await using scene = await laneScene();
  const { db } = scene.scene;
  const [first, gone, last] = [await scene.device(), await scene.device(), await scene.device()];
  const quiet = (id: string): TelemetryRule => ({ id, metric: "t", kind: "silence", seconds: 60 });
  for (const device of [first, gone, last]) {
    await scene.rules(device, ["a", "b", "c"].map(quiet));
  }
  await db.query(
    `update telemetry_rules set due_at = clock_timestamp() - interval '1 hour'
       + (case when device_id = $1 then interval '0' else interval '1 minute' end)`,
    [gone.id],
  );
  await disable(scene, gone);
  const due = await readDueRules(db, 3);
  assertEquals(due.map(({ device }) => device).includes(gone.id), false);
  assertEquals(due.length, 3);
  // The same of messages that are on their way: three of those come first
  await db.query(
    `update telemetry_rules set due_at = null, pending = ${PENDING},
       uid = (case when device_id = $1 then '0' else 'f' end || substr(uid::text, 2))::uuid`,
    [gone.id],
  );
  const sent = await readDueRules(db, 3);
  assertEquals(sent.map(({ device }) => device).includes(gone.id), false);
  assertEquals(sent.length, 3);
});

Deno.test(
  "a bridge that is asked to end forgets no reading that a rule told of",
  strict,
  async () => {
    await using scene = await laneScene();
    const device = await scene.device();
    await scene.rules(device, [{ id: "hot", metric: "t", kind: "above", threshold: 30 }]);
    const first = scene.lane({ everyMs: 60_000 });
    await first.say(device, { t: 31 });
    await first.stop();
    // Nothing more is ever read
    scene.lane();
    assertEquals(await scene.heard(device, 1), ["t is 31, above 30"]);
  },
);

Deno.test("a reading that met an outdated state of its rule is judged again", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  await scene.rules(device, [{ id: "hot", metric: "t", kind: "above", threshold: 30 }]);
  const lane = scene.lane();
  await lane.say(device, { t: 20 });
  // Another bridge has told of something hot, and of its end
  await scene.scene.db.query("update telemetry_rules set version = version + 2");
  await lane.say(device, { t: 40 });
  assertEquals(await scene.heard(device, 1), ["t is 40, above 30"]);
  await until(
    "it is settled",
    async () =>
      (await scene.scene.db.query("select 1 from telemetry_rules where pending is null")).length ===
        1,
  );
});

Deno.test("nobody is silent whose readings may wait at the broker", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  await scene.rules(device, [{ id: "gone", metric: "t", kind: "silence", seconds: 0.1 }]);
  let behind = true;
  const lane = scene.lane({ isBehind: () => behind });
  await lane.say(device, { t: 1 });
  await until("it is looked at", async () => {
    const [row] = await scene.scene.db.query<{ version: number }>(
      "select version from telemetry_rules",
    );
    return row!.version > 3;
  });
  assertEquals(await scene.said(device), []);
  behind = false;
  await scene.heard(device, 1);
});

Deno.test("readings are stored while a rule's message waits for its room", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  await scene.rules(device, [{ id: "hot", metric: "t", kind: "above", threshold: 30 }]);
  const lane = scene.lane();
  const locked = Promise.withResolvers<void>();
  lane.sends.after = locked.promise;
  await lane.say(device, { t: 31 });
  await until("the message waits", () => lane.sends.begun === 1);
  await lane.say(device, { t: 32 });
  await until("it is stored", async () => (await scene.known(device)).metrics[0]?.count === 2);
  assertEquals([lane.sends.begun, await scene.said(device)], [1, []]);
  locked.resolve();
  assertEquals(await scene.heard(device, 1), ["t is 31, above 30"]);
});
