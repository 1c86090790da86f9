import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Principal } from "../lib/auth/principal.ts";
import { removeMember, setMember } from "../lib/chat/members.ts";
import { ConfabError } from "../lib/errors.ts";
import type { TelemetryRule } from "../lib/protocol.ts";
import { type Lane, type LaneScene, laneScene } from "../testing/telemetry_lane.ts";
import { until } from "../testing/until.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const SAVES = /update telemetry_rules t set version/;
const LOOKS = /from telemetry_rules t\s+cross join lateral/;
const STORES = /from store_telemetry/;

const above = (threshold: number): TelemetryRule => (
  { id: "high", metric: "v", kind: "above", threshold }
);

async function leave({ scene, owner, room }: LaneScene, device: Principal): Promise<void> {
  await removeMember(scene.chat, owner, room, device.id);
}

async function join(
  { scene, owner, room }: LaneScene,
  device: Principal,
  role: "member" | "reader" = "member",
): Promise<void> {
  await setMember(scene.chat, owner, room, device.id, role);
}

/** Waits until everything that was said is stored. */
async function stored(lane: Lane): Promise<void> {
  await until("it is stored", () => lane.telemetry.waiting.metrics === 0);
}

Deno.test("what comes after a removal is never told, also after the return", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  await scene.rules(device, [above(5)]);
  const lane = scene.lane();
  await lane.say(device, { v: 1 });
  await until("it is stored", async () => (await scene.known(device)).metrics.length === 1);
  await leave(scene, device);
  await lane.say(device, { v: 9 });
  await stored(lane);
  await until("it is refused", async () => {
    const error = await lane.say(device, { v: 1 }).catch((error) => error);
    return error instanceof ConfabError && error.code === "not_found";
  });
  await join(scene, device);
  await until("it is heard again", async () => {
    await lane.say(device, { v: 1 }).catch(() => {});
    return (await scene.known(device)).metrics[0]!.count > 1;
  });
  await lane.say(device, { v: 7 });
  assertEquals(await scene.heard(device, 1), ["v is 7, above 5"]);
});

for (
  const [when, statement] of [
    ["before it is stored", STORES],
    ["before its rule is stored", SAVES],
    ["before its message is sent", LOOKS],
  ] as const
) {
  Deno.test(`a reading belongs to one stay in the room: a return ${when}`, strict, async () => {
    await using scene = await laneScene();
    const device = await scene.device();
    await scene.rules(device, [above(5)]);
    const lane = scene.lane();
    let [saved, left, returned] = [false, false, false];
    lane.faults.before = async (text) => {
      if (SAVES.test(text)) saved = true;
      if (left || !statement.test(text) || (LOOKS.test(text) && !saved)) return;
      left = true;
      await leave(scene, device);
      await join(scene, device);
      returned = true;
    };
    await lane.say(device, { v: 9 });
    await until("it is back", () => returned);
    await until("it is heard again", async () => {
      await lane.say(device, { v: 1 }).catch(() => {});
      return (await scene.known(device)).metrics.some(({ value }) => value === 1);
    });
    await lane.say(device, { v: 7 });
    assertEquals(await scene.heard(device, 1), ["v is 7, above 5"]);
  });
}

Deno.test("a rule judges the first reading after a long pause", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  let now = 0;
  const lane = scene.lane({ now: () => now });
  await lane.say(device, { v: 1 });
  await stored(lane);
  now += 3_600_000;
  await scene.rules(device, [above(50)]);
  await lane.say(device, { v: 99 });
  assertEquals(await scene.heard(device, 1), ["v is 99, above 50"]);
  await scene.rules(device, [above(60)]);
  now += 3_600_000;
  await lane.say(device, { v: 98 });
  assertEquals((await scene.heard(device, 2))[1], "v is 98, above 60");
});

Deno.test("what a changed rule would have told, the new one judges", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  await scene.rules(device, [above(50)]);
  const lane = scene.lane();
  await lane.say(device, { v: 1 });
  await scene.rules(device, [above(60)]);
  await lane.say(device, { v: 98 });
  assertEquals(await scene.heard(device, 1), ["v is 98, above 60"]);
});

Deno.test("a reading of before moves no rule, and is stored", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  await scene.rules(device, [above(50), { id: "c", metric: "v", kind: "change", threshold: 60 }]);
  const old = new Date(Date.now() - 5 * 3_600_000).toISOString();
  const first = scene.lane();
  await first.say(device, { v: 20 });
  await stored(first);
  await first.stop();
  // Whoever takes over knows how far it has come
  const lane = scene.lane();
  await lane.say(device, { readings: [{ metric: "v", value: 90, at: old }] });
  await stored(lane);
  await lane.say(device, { v: 21 });
  await lane.say(device, { readings: [{ metric: "v", value: 91, at: old }] });
  await until("they are stored", async () => (await scene.known(device)).metrics[0]!.count === 4);
  await lane.say(device, { v: 99 });
  assertEquals(
    (await scene.heard(device, 2)).toSorted(),
    ["v changed to 99", "v is 99, above 50"],
  );
});

Deno.test(
  "readings that come together are judged in the order of their times",
  strict,
  async () => {
    await using scene = await laneScene();
    const device = await scene.device();
    await scene.rules(device, [above(50)]);
    const lane = scene.lane();
    const at = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
    await lane.say(device, {
      readings: [
        { metric: "v", value: 20, at: at(1) },
        { metric: "v", value: 80, at: at(2) },
        { metric: "v", value: 20, at: at(3) },
      ],
    });
    assertEquals(await scene.heard(device, 1), ["v is 80, above 50"]);
  },
);

Deno.test("a short spike is told although its rule is busy with another", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  await scene.rules(device, [{ ...above(90), hysteresis: 5 }]);
  const lane = scene.lane();
  for (const v of [95, 20, 99, 98, 86, 84, 20]) await lane.say(device, { v });
  assertEquals(await scene.heard(device, 2), ["v is 95, above 90", "v is 99, above 90"]);
});

Deno.test("crossings beyond what can be told are counted in the next message", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  await scene.rules(device, [above(90)]);
  const lane = scene.lane();
  const gate = Promise.withResolvers<void>();
  lane.faults.before = (text) => SAVES.test(text) ? gate.promise : undefined;
  await lane.say(device, { v: 91 });
  for (let i = 0; i < 40; i++) {
    await lane.say(device, { v: 20 });
    await lane.say(device, { v: 100 + i });
  }
  gate.resolve();
  const crossings = (texts: string[]) =>
    texts.reduce(
      (sum, text) => sum + 1 + Number(/(\d+) crossings? untold/.exec(text)?.[1] ?? 0),
      0,
    );
  await until("all are told of", async () => crossings(await scene.said(device)) === 41);
  const said = await scene.said(device);
  assertEquals([said[0], said.at(-1)], ["v is 91, above 90", "v is 139, above 90"]);
  assert(said.length < 20, `${said.length} messages`);
});

Deno.test("any change of a text or of true and false is a change", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  await scene.rules(device, [
    { id: "door", metric: "door", kind: "change", threshold: 1 },
    { id: "pump", metric: "pump", kind: "change", threshold: 5 },
  ]);
  const first = scene.lane();
  await first.say(device, { door: "closed", pump: false });
  await first.say(device, { door: "closed" });
  await first.say(device, { door: "open" });
  assertEquals(await scene.heard(device, 1), ["door changed to open"]);
  await first.say(device, { pump: true });
  assertEquals((await scene.heard(device, 2))[1], "pump changed to true");
  await first.stop();
  const second = scene.lane(); // knows what was told
  await second.say(device, { door: "open" });
  await second.say(device, { door: "ajar" });
  await second.say(device, { door: 3 });
  assertEquals((await scene.heard(device, 4)).slice(2), [
    "door changed to ajar",
    "door changed to 3",
  ]);
});

Deno.test("a reader measures nothing into the room, and is told so", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  await scene.rules(device, [above(5), { id: "q", metric: "v", kind: "silence", seconds: 0.1 }]);
  await join(scene, device, "reader");
  const lane = scene.lane();
  const error = await assertRejects(() => lane.say(device, { v: 9 }), ConfabError);
  assertEquals(error.code, "read_only");
  await lane.say(device, { v: 9 }); // it was told a moment ago
  await stored(lane);
  assertEquals((await scene.known(device)).metrics, []);
  await join(scene, device);
  await until("it is heard", async () => {
    await lane.say(device, { v: 7 }).catch(() => {});
    return (await scene.said(device)).includes("v is 7, above 5");
  });
  // From one moment to the next, while the bridge takes it for a member
  await join(scene, device, "reader");
  const { count } = (await scene.known(device)).metrics[0]!;
  await lane.say(device, { v: 100 }).catch(() => {});
  await stored(lane);
  assertEquals((await scene.known(device)).metrics[0]!.value, 7);
  assert((await scene.known(device)).metrics[0]!.count >= count);
});

Deno.test("metrics may be called as anything in JavaScript is", strict, async () => {
  await using scene = await laneScene();
  const device = await scene.device();
  await scene.rules(device, [{ ...above(5), metric: "__proto__" }]);
  for (const [value, count] of [[9, 1], [1, 1], [7, 2]]) {
    const lane = scene.lane(); // each learns from the database what there is
    await lane.say(device, `{"__proto__":${value},"constructor":"a"}`);
    await scene.heard(device, count!);
    await lane.stop();
  }
  assertEquals(await scene.said(device), ["__proto__ is 9, above 5", "__proto__ is 7, above 5"]);
  const { metrics } = await scene.known(device);
  assertEquals(metrics.map(({ metric, count }) => [metric, count]), [
    ["__proto__", 3],
    ["constructor", 3],
  ]);
});
