/** What waits for a bridge, at the broker or on the way, while the bridge does nothing. */
import { assertEquals } from "@std/assert";
import { deviceStatuses, expectDevice } from "../lib/chat/device_presence.ts";
import { alertSilence } from "../lib/chat/device_silence.ts";
import { brokerKinds } from "../testing/mqtt_broker.ts";
import { MqttScene, topics } from "../testing/mqtt_scene.ts";
import { startProxy } from "../testing/proxy.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

for (const kind of await brokerKinds()) {
  testWith(
    kind.service,
    `what waits while the bridge is paused is no silence (${kind.name})`,
    async () => {
      await using stack = new AsyncDisposableStack();
      const scene = stack.use(await MqttScene.start(kind));
      const { chat: { chat, db }, owner, room } = scene;
      const proxy = startProxy(Number(new URL(scene.broker.url).port));
      stack.defer(() => proxy.close());
      stack.defer(() => scene.stopBridges());
      const statuses = deviceStatuses(chat, { shown: false });
      const clock = { ahead: 0, saves: 0 };
      await scene.bridge({
        broker: { ...scene.broker.bridge, url: `mqtt://127.0.0.1:${proxy.port}` },
        statuses: {
          ...statuses,
          saveHeard: (...given) => statuses.saveHeard(...given).finally(() => clock.saves++),
        },
        presenceTimes: { heardMs: 20, now: () => performance.now() + clock.ahead },
      });
      const device = await scene.device();
      await using firmware = await scene.connect(device);
      const send = topics.send(device.id, room);
      const lastSeen = async () =>
        (await db.query<{ at: Date }>("select last_seen as at from device_status"))[0]?.at ?? null;
      /** A minute passes for everybody; the bridge writes what it knows. */
      const aMinute = async () => {
        await db.query(
          `update device_status set last_seen = last_seen - interval '1 minute',
             expected_since = expected_since - interval '1 minute'`,
        );
        clock.ahead += 60_000;
        const before = clock.saves;
        await until("it is written", () => clock.saves >= before + 3);
      };
      await firmware.publish(send, "here I am");
      await until("it is heard", async () => await lastSeen() !== null);
      await expectDevice(chat, owner, device.id, 10);
      proxy.blackhole();
      await firmware.publish(send, "still here");
      await aMinute();
      assertEquals(await alertSilence(chat), 0, "it has said something");
      const before = (await lastSeen())!;
      proxy.heal();
      await until("that is heard, too", async () => (await lastSeen())! > before);
      assertEquals(await alertSilence(chat), 0);
      await aMinute();
      let alerts = 0;
      await until("now it is silent", async () => (alerts += await alertSilence(chat)) > 0);
      await firmware.publish(send, "back");
      await until("it is back", async () => (alerts += await alertSilence(chat)) > 1);
      const kinds = (await scene.log()).flatMap(({ event }) =>
        event.type === "device.alert" ? [event.alert.kind] : []
      );
      assertEquals([kinds, alerts], [["silent", "back"], 2]);
    },
  );
}
