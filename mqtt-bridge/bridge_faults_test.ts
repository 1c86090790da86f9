import { assert, assertEquals } from "@std/assert";
import { bridgeStore, deviceActions } from "../lib/chat/bridge.ts";
import { DatabaseError } from "../lib/database/mod.ts";
import { chatNode } from "../testing/chat.ts";
import { faultyDatabase } from "../testing/faulty_database.ts";
import { brokerKinds } from "../testing/mqtt_broker.ts";
import { MqttScene, topics } from "../testing/mqtt_scene.ts";
import { testWith } from "../testing/services.ts";
import { range } from "../testing/subscriber.ts";
import { until } from "../testing/until.ts";

const keysTo = (count: number) => range(1, count).map((i) => `k${i}`);
const payload = (key: string) => JSON.stringify({ text: key, clientId: key });

/** The texts in the log, in its order. */
async function textsOf(scene: MqttScene): Promise<(string | undefined)[]> {
  return (await scene.log()).flatMap(({ event }) =>
    event.type === "message.created" ? [event.message.text] : []
  );
}

for (const kind of await brokerKinds()) {
  testWith(
    kind.service,
    `no device speaks for the bridge or in a circle (${kind.name})`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const { room } = scene;
      await scene.bridge();
      const [hostile, victim] = [await scene.device(), await scene.device()];
      await using first = await scene.connect(hostile);
      await using second = await scene.connect(victim);
      const forged = [hostile.id, victim.id].flatMap((id) => [
        topics.events(id, room),
        topics.head(id, room),
        topics.receipts(id),
        topics.responses(id),
        topics.errors(id),
      ]);
      for (const topic of [...forged, topics.send(victim.id, room), "$CONTROL/x"]) {
        await first.publish(topic, '{"text":"forged","seq":1}').catch(() => {});
        if (first.closed) break; // the embedded broker may end it
      }
      assert(!first.closed);
      // A receipt that is a message again would never end.
      for (const responseTopic of [topics.send(hostile.id, room), topics.send(victim.id, room)]) {
        await first.publish(topics.send(hostile.id, room), responseTopic, {
          properties: { responseTopic, correlationData: new TextEncoder().encode("x") as never },
        }).catch(() => {});
      }
      await second.publish(topics.send(victim.id, room), "honest");
      await second.waitFor(topics.receipts(victim.id));
      await first.waitFor(topics.receipts(hostile.id));
      await until("all is delivered", async () => {
        const { length } = await scene.log();
        return second.json(topics.events(victim.id, room)).some(({ seq }) => seq === length);
      });
      assertEquals(
        (await textsOf(scene)).toSorted(),
        [topics.send(hostile.id, room), "honest"].toSorted(),
      );
      assertEquals(second.received.filter((one) => one.payload.includes("forged")), []);
      assertEquals(second.json(topics.receipts(victim.id)).length, 1);
    },
  );

  testWith(
    kind.service,
    `a database that is away keeps messages at the broker (${kind.name})`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const { room, chat } = scene;
      let away = false;
      const db = faultyDatabase(chat.db, {
        before: () => {
          if (away) throw new DatabaseError("unavailable", "away on purpose");
        },
      });
      const node = await chatNode(db, chat.chat.bus, { deadlineMs: 100 });
      const bridge = await scene.bridge({
        actions: deviceActions(node),
        store: bridgeStore(node),
        lease: { ttlMs: 1000, renewMs: 100 },
      });
      const device = await scene.device();
      await using firmware = await scene.connect(device);
      const keys = keysTo(60);
      const publish = (part: string[]) =>
        Promise.all(
          part.map((key) => firmware.publish(topics.send(device.id, room), payload(key))),
        );
      await publish(keys.slice(0, 20));
      await firmware.waitFor(topics.receipts(device.id), 20);
      away = true;
      await publish(keys.slice(20, 40));
      await until("it lets go of its lease", () => !bridge.health().active);
      await publish(keys.slice(40));
      assertEquals(firmware.json(topics.receipts(device.id)).length, 20);
      away = false;
      await firmware.waitFor(topics.receipts(device.id), 60);
      assertEquals(await textsOf(scene), keys);
      assertEquals(firmware.json(topics.errors(device.id)), []);
    },
  );

  testWith(
    kind.service,
    `no response topic harms the bridge's connection (${kind.name})`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const { room } = scene;
      await scene.bridge();
      const [device, other] = [await scene.device(), await scene.device()];
      await using firmware = await scene.connect(other);
      // Mosquitto ends the connection of whoever publishes to a topic with over 200 levels.
      const endings = ["/".repeat(250), "/\u0001", "/\uffff"];
      for (const [i, ending] of endings.entries()) {
        await using hostile = await scene.connect(device);
        const properties = { responseTopic: `${topics.responses(device.id)}${ending}` };
        const request = JSON.stringify({ requestId: `r${i}`, room, after: 0 });
        // The broker may refuse them before the bridge sees them.
        await Promise.allSettled([
          hostile.publish(topics.send(device.id, room), payload(`k${i}`), { properties }),
          hostile.publish(topics.requests(device.id), request, { properties }),
        ]);
        await firmware.publish(topics.send(other.id, room), payload(`k${i}`));
        await firmware.waitFor(topics.receipts(other.id), i + 1);
      }
    },
  );

  testWith(
    kind.service,
    `what waited for a bridge is not refused for coming at once (${kind.name})`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const { room } = scene;
      await scene.bridge();
      const device = await scene.device();
      await using firmware = await scene.connect(device);
      await scene.stopBridges();
      const keys = keysTo(60);
      await Promise.all(
        keys.map((key) => firmware.publish(topics.send(device.id, room), payload(key))),
      );
      await scene.bridge({ rate: { perSecond: 1, burst: 5 } });
      await until("each is answered", () => {
        const errors = firmware.json(topics.errors(device.id));
        assertEquals(errors, []);
        return firmware.json(topics.receipts(device.id)).length === keys.length;
      });
      assertEquals(await textsOf(scene), keys);
    },
  );

  testWith(kind.service, `nothing is acknowledged before it is stored (${kind.name})`, async () => {
    await using scene = await MqttScene.start(kind);
    const { room, chat: { chat } } = scene;
    const handed: string[] = [];
    await scene.bridge({
      window: 10,
      actions: {
        ...deviceActions(chat),
        send: (_device, _room, messages) => {
          handed.push(...messages.map(({ clientId }) => clientId));
          return new Promise(() => {}); // a commit that never comes back
        },
      },
    });
    const device = await scene.device();
    await using firmware = await scene.connect(device);
    const keys = keysTo(100);
    await Promise.all(
      keys.map((key) => firmware.publish(topics.send(device.id, room), payload(key))),
    );
    await until("the bridge works on the first", () => handed.length > 0);
    await scene.stopBridges();
    assert(handed.length <= 10, `${handed.length} at once`);
    await scene.bridge();
    await firmware.waitFor(topics.receipts(device.id), 100);
    assertEquals(await textsOf(scene), keys);
  });

  if (kind.name === "aedes") continue; // that broker ends with the process of the bridge
  testWith(
    kind.service,
    `a device that repeats loses nothing with the broker (${kind.name})`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const { room } = scene;
      const bridge = await scene.bridge();
      const device = await scene.device();
      const keys = keysTo(60);
      const told = new Set<string>();
      {
        await using firmware = await scene.connect(device, { clean: false });
        for (const key of keys) {
          void firmware.publish(topics.send(device.id, room), payload(key)).catch(() => {});
        }
        await firmware.waitFor(topics.receipts(device.id), 5);
        await scene.broker.crash!();
        for (const { clientId } of firmware.json(topics.receipts(device.id))) told.add(clientId);
      }
      await using again = await scene.connect(device, { clean: false });
      await until("the bridge is back", () => bridge.health().connected);
      const missing = keys.filter((key) => !told.has(key));
      for (const key of missing) await again.publish(topics.send(device.id, room), payload(key));
      await until("every receipt", () => {
        for (const { clientId } of again.json(topics.receipts(device.id))) told.add(clientId);
        return told.size === keys.length;
      });
      assertEquals((await textsOf(scene)).toSorted(), keys.toSorted(), "each once");
    },
  );
}
