import { assert, assertEquals } from "@std/assert";
import { removeMember } from "../lib/chat/members.ts";
import { deviceTelemetry, setTelemetryRules, telemetrySeries } from "../lib/chat/telemetry.ts";
import { telemetryLane } from "../lib/chat/telemetry_lane.ts";
import { newId } from "../lib/ids.ts";
import type { DeviceTelemetry, Signal, TelemetryRule } from "../lib/protocol.ts";
import { brokerKinds } from "../testing/mqtt_broker.ts";
import { MqttScene, topics } from "../testing/mqtt_scene.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

/** What is known of a device, once `enough` of it is. */
async function knownOf(
  { chat: { chat }, owner, room }: MqttScene,
  device: string,
  enough: (telemetry: DeviceTelemetry) => boolean = ({ metrics }) => metrics.length > 0,
): Promise<DeviceTelemetry> {
  let found: DeviceTelemetry | undefined;
  await until("its readings are stored", async () => {
    found = await deviceTelemetry(chat, owner, room, device);
    return enough(found);
  });
  return found!;
}

function valuesOf({ metrics }: DeviceTelemetry) {
  return Object.fromEntries(metrics.map(({ metric, value, count }) => [metric, [value, count]]));
}

/** Messages of a device, as the log has them. */
async function saidBy(scene: MqttScene, device: string) {
  return (await scene.log()).flatMap(({ event }) =>
    event.type === "message.created" && event.actor.id === device
      ? [{ text: event.message.text!, data: event.message.data as Record<string, unknown> }]
      : []
  );
}

async function rulesOf(scene: MqttScene, device: string, rules: TelemetryRule[]): Promise<void> {
  await setTelemetryRules(scene.chat.chat, scene.owner, scene.room, device, rules);
}

for (const kind of await brokerKinds()) {
  for (const [version, qos] of [[4, 0], [5, 1]] as const) {
    const how = `${kind.name}, ${version}, QoS ${qos}`;
    testWith(
      kind.service,
      `readings become values and series, and no messages (${how})`,
      async () => {
        await using scene = await MqttScene.start(kind);
        const { room, owner, chat: { chat } } = scene;
        await scene.bridge();
        const device = await scene.device();
        await using firmware = await scene.connect(device, { version });
        const topic = topics.telemetry(device.id, room);
        const say = (payload: unknown) =>
          firmware.client.publishAsync(topic, JSON.stringify(payload), { qos });
        const signals: Signal[] = [];
        const sink = {
          entries: () => {},
          head: () => {},
          signal: (one: Signal) => signals.push(one),
        };
        const stop = await chat.bus.serve(room, sink);
        await say({ temp: 21, door: "open", on: true });
        await say({ temp: 23 });
        const at = new Date(Date.now() - 60_000).toISOString();
        await say({
          readings: [{ metric: "temp", value: 1, at }, { metric: "readings", value: 2 }],
        });
        const known = await knownOf(
          scene,
          device.id,
          ({ metrics }) => metrics.some(({ metric, count }) => metric === "temp" && count === 3),
        );
        assertEquals([known.device, known.dropped], [device.id, 0]);
        assertEquals(valuesOf(known), {
          door: ["open", 1],
          on: [true, 1],
          readings: [2, 1],
          temp: [23, 3],
        });
        const wish = { from: Date.now() - 600_000, to: Date.now() + 10_000, points: 500 };
        const { seconds, points } = await telemetrySeries(
          chat,
          owner,
          room,
          device.id,
          "temp",
          wish,
        );
        assertEquals(seconds, 10);
        assertEquals(
          points.reduce((sum, { count }) => sum + count, 0),
          3,
        );
        assertEquals(points.reduce((sum, one) => sum + one.sum, 0), 45);
        assertEquals(points[0]!.last, 1);
        const shown = () =>
          signals.flatMap((one) =>
            one.type === "telemetry" && one.device === device.id ? one.readings : []
          );
        await until("it is shown", () => shown().some(({ metric }) => metric === "readings"));
        assert(shown().some(({ metric, value }) => metric === "temp" && value === 23));
        stop();
        assertEquals((await scene.log()).length, 2, "no messages");
      },
    );
  }

  testWith(
    kind.service,
    `a removed device's readings end, and come back with it (${kind.name})`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const { room, owner, chat: { chat } } = scene;
      await scene.bridge();
      const [gone, stays] = [await scene.device(), await scene.device()];
      await using first = await scene.connect(gone);
      await using second = await scene.connect(stays);
      await first.publish(topics.telemetry(gone.id, room), '{"t":1}');
      await knownOf(scene, gone.id);
      await removeMember(chat, owner, room, gone.id);
      await first.publish(topics.telemetry(gone.id, room), '{"t":2}');
      await until("it is told", async () => {
        await first.publish(topics.telemetry(gone.id, room), '{"t":3}');
        return first.json(topics.errors(gone.id)).some(({ code }) => code === "not_found");
      });
      await second.publish(topics.telemetry(stays.id, room), '{"t":1}');
      await knownOf(scene, stays.id);
      await scene.join(gone);
      assertEquals(valuesOf(await knownOf(scene, gone.id)), { t: [1, 1] });
      await until("it is heard again", async () => {
        await first.publish(topics.telemetry(gone.id, room), '{"t":4}');
        return (await deviceTelemetry(chat, owner, room, gone.id)).metrics[0]!.value === 4;
      });
    },
  );

  testWith(
    kind.service,
    `what is wrong is answered by name, a flood once (${kind.name})`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const { room, chat: { chat } } = scene;
      const dropped: [number, string][] = [];
      await scene.bridge({
        telemetry: {
          lane: telemetryLane(chat),
          rate: { perSecond: 0.001, burst: 100 },
          meter: { stored: () => {}, dropped: (count, why) => dropped.push([count, why]) },
          everyMs: 50,
        },
      });
      const device = await scene.device();
      await using firmware = await scene.connect(device);
      const topic = topics.telemetry(device.id, room);
      const many = (from: number, count: number) =>
        JSON.stringify(
          Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${from + i}`, i])),
        );
      const day = new Date(Date.now() - 25 * 3_600_000).toISOString();
      const ahead = new Date(Date.now() + 3_600_000).toISOString();
      const bad: [string, string, string | Uint8Array][] = [
        ["not_found", topics.telemetry(device.id, newId()), '{"t":1}'],
        ["invalid_utf8", topic, new Uint8Array([0xff])],
        ["invalid_request", topic, "21.5"],
        ["invalid_json", topic, "{"],
        ["invalid_request", topic, "{}"],
        ["invalid_request", topic, '{"a b":1}'],
        ["invalid_request", topic, '{"t":null}'],
        ["invalid_request", topic, '{"t":1e101}'],
        ["invalid_request", topic, `{"readings":[{"metric":"t","value":1,"at":"${day}"}]}`],
        ["invalid_request", topic, `{"readings":[{"metric":"t","value":1,"at":"${ahead}"}]}`],
      ];
      for (const [i, [code, where, payload]] of bad.entries()) {
        await firmware.publish(where, payload);
        const errors = await firmware.waitFor(topics.errors(device.id), i + 1);
        assertEquals([errors[i].code, errors[i].topic], [code, where], String(payload));
      }
      await firmware.publish(topic, many(0, 64)); // 26 are left
      for (let i = 0; i < 4; i++) await firmware.publish(topic, many(63, 2)); // one is new
      for (let i = 0; i < 30; i++) await firmware.publish(topic, many(0, 5));
      const known = await knownOf(
        scene,
        device.id,
        (one) => one.dropped > 0 && one.metrics.length > 0,
      );
      assertEquals(known.metrics.length, 64);
      await until("everything is counted", async () => {
        const { dropped } = await knownOf(scene, device.id);
        return dropped === 4 * 2 + 27 * 5;
      });
      const sum = (reason: string) =>
        dropped.filter(([, why]) => why === reason).reduce((sum, [count]) => sum + count, 0);
      assertEquals([sum("metrics"), sum("quota")], [8, 135]);
      const codes = firmware.json(topics.errors(device.id)).slice(bad.length).map(({ code }) =>
        code
      );
      assertEquals(codes, ["too_many_metrics", "rate_limited"]);
    },
  );

  testWith(kind.service, `rules make messages of readings (${kind.name})`, async () => {
    await using scene = await MqttScene.start(kind);
    const { room } = scene;
    await scene.bridge();
    const device = await scene.device();
    await using firmware = await scene.connect(device);
    await rulesOf(scene, device.id, [
      { id: "hot", metric: "t", kind: "above", threshold: 30, hysteresis: 2, unit: "°C" },
      { id: "door", metric: "open", kind: "change", threshold: 1 },
    ]);
    const say = (readings: object) =>
      firmware.publish(topics.telemetry(device.id, room), JSON.stringify(readings));
    const heard = async (count: number) => {
      await until(
        `${count} messages`,
        async () => (await saidBy(scene, device.id)).length >= count,
      );
      return (await saidBy(scene, device.id)).map(({ text }) => text);
    };
    await say({ t: 29, open: false });
    await say({ t: 31 });
    assertEquals(await heard(1), ["t is 31 °C, above 30 °C"]);
    await say({ t: 35 });
    await say({ t: 29 });
    await say({ t: 31, open: true });
    assertEquals(await heard(2), ["t is 31 °C, above 30 °C", "open changed to true"]);
    // Each change of the state is stored before the next is judged
    await until("it was back", async () => {
      await say({ t: 28 });
      const rows = await scene.chat.db.query<{ fired: boolean }>(
        "select fired from telemetry_rules where id = 'hot'",
      );
      return rows[0]!.fired === false;
    });
    await say({ t: 33 });
    assertEquals((await heard(3))[2], "t is 33 °C, above 30 °C");
    const [first] = await saidBy(scene, device.id);
    const { at, ...data } = first!.data;
    assertEquals(data, { rule: "hot", metric: "t", value: 31 });
    assert(Math.abs(Date.parse(String(at)) - Date.now()) < 60_000);
  });
}
