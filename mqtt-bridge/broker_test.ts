import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { newId } from "../lib/ids.ts";
import { createLog } from "../lib/log.ts";
import { freePort } from "../testing/mosquitto.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { until } from "../testing/until.ts";
import { Connection } from "./connection.ts";
import type { Delivery } from "./delivery.ts";
import { type BrokerOptions, type EmbeddedBroker, startBroker } from "./broker.ts";
import { OWN_MARK, Topics } from "./topics.ts";

const topics = new Topics("confab/");
const log = createLog("silent");
const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

async function withBroker(
  run: (broker: EmbeddedBroker & { url: string }) => Promise<void>,
  options: Partial<BrokerOptions> = {},
): Promise<void> {
  const broker = await startBroker({
    host: "127.0.0.1",
    port: freePort(),
    prefix: "confab/",
    log,
    authenticate: (device, password) => Promise.resolve(password === `secret of ${device}`),
    ...options,
  });
  try {
    await run({ ...broker, url: broker.bridge.url });
  } finally {
    await broker.stop();
  }
}

const connect = (url: string, id: string, more: { clientId?: string; version?: 4 | 5 } = {}) =>
  TestDevice.connect({ url, username: id, password: `secret of ${id}`, ...more });

for (const version of [4, 5] as const) {
  const name = version === 4 ? "MQTT 3.1.1" : "MQTT 5";

  Deno.test(
    `the broker admits devices by their secret and client id (${name})`,
    strict,
    () =>
      withBroker(async ({ url }) => {
        const id = newId();
        await using _plain = await connect(url, id, { version });
        await using _suffixed = await connect(url, id, { version, clientId: `${id}-sub` });
        const refused = [
          { username: id, password: "wrong", clientId: id },
          { username: id, password: `secret of ${id}`, clientId: newId() },
          { username: id, password: `secret of ${id}`, clientId: `${id}x` },
          { username: id.toUpperCase(), password: `secret of ${id.toUpperCase()}`, clientId: id },
          { username: "bridge", password: "wrong", clientId: "confab-bridge-0" },
          { username: "x", password: "secret of x", clientId: "x" },
        ];
        for (const one of refused) {
          await assertRejects(() => TestDevice.connect({ url, version, ...one }), Error);
        }
      }),
  );

  Deno.test(
    `a device reads and writes only its own topics (${name})`,
    strict,
    () =>
      withBroker(async ({ url, bridge }) => {
        const [id, other, room] = [newId(), newId(), newId()];
        await using device = await connect(url, id, { version });
        await using neighbour = await connect(url, other, { version });
        assert(await device.subscribe(topics.events(id, "+")));
        assert(await device.subscribe(topics.errors(id)));
        for (
          const filter of [
            "#",
            "confab/#",
            topics.events("+", "+"),
            topics.events(other, "+"),
            "$SYS/#",
            `$share/g/${topics.events(id, "+")}`,
            topics.send(id, "+"),
          ]
        ) assert(!await device.subscribe(filter), filter);
        await using inside = await TestDevice.connect({ ...bridge, clientId: "confab-bridge-0" });
        assert(await inside.subscribe(topics.inbound().send));
        const forged = [topics.send(other, room), topics.events(id, room), "$SYS/x", "anything"];
        for (const topic of forged) await device.publish(topic, "forged").catch(() => {});
        await device.publish(topics.send(id, room), "honest", { retain: true });
        await until("the honest message", () => inside.received.length > 0);
        assertEquals(inside.received.map((one) => one.payload), ["honest"]);
        const errors = await device.waitFor(topics.errors(id), forged.length);
        assertEquals(
          errors.map((error) => [error.code, error.topic]),
          forged.map((t) => [
            "invalid_topic",
            t,
          ]),
        );
        await inside.publish(topics.events(id, room), '{"seq":1}');
        await device.waitFor(topics.events(id, room));
        assertEquals(neighbour.received, []);
        await inside.publish(topics.send(id, room), "as a device").catch(() => {});
        await inside.publish(topics.events(id, room), '{"seq":2}');
        await device.waitFor(topics.events(id, room), 2);
        assertEquals(inside.received.length, 1);
      }),
  );
}

Deno.test(
  "an own wildcard is granted and shows only what the device may read",
  strict,
  () =>
    withBroker(async ({ url, bridge }) => {
      const [id, room] = [newId(), newId()];
      await using device = await connect(url, id);
      assert(await device.subscribe(`${topics.own(id)}#`));
      await using inside = await TestDevice.connect({ ...bridge, clientId: "confab-bridge-0" });
      await inside.subscribe(topics.inbound().send);
      await device.publish(topics.send(id, room), "up");
      await inside.publish(topics.receipts(id), '{"seq":1}');
      await device.waitFor(topics.receipts(id));
      assertEquals(device.received.map((one) => one.topic), [topics.receipts(id)]);
    }),
);

Deno.test(
  "a payload above 64 KiB is refused by name, far above it the connection ends",
  strict,
  () =>
    withBroker(async ({ url }) => {
      const [id, room] = [newId(), newId()];
      await using device = await connect(url, id);
      await device.subscribe(topics.errors(id));
      await device.publish(topics.send(id, room), new Uint8Array(65 * 1024)).catch(() => {});
      const [error] = await device.waitFor(topics.errors(id));
      assertEquals(error.code, "payload_too_large");
      device.publish(topics.send(id, room), new Uint8Array(300 * 1024)).catch(() => {});
      await until("the connection ends", () => device.closed);
    }),
);

Deno.test(
  "kick() ends the connections of one device, and a sign-in that is under way",
  strict,
  () => {
    const held = Promise.withResolvers<boolean>();
    let slow: string | undefined;
    return withBroker(async (broker) => {
      const [id, other] = [newId(), newId()];
      await using device = await connect(broker.url, id);
      await using neighbour = await connect(broker.url, other);
      slow = id;
      const late = assertRejects(() => connect(broker.url, id, { clientId: `${id}-late` }), Error);
      await until("the sign-in is under way", () => slow === undefined);
      broker.kick(id);
      held.resolve(true);
      await late;
      await until("the connection ends", () => device.closed);
      assertEquals(device.disconnectReason, 0x98);
      assert(!neighbour.closed);
    }, {
      authenticate: (device) => {
        if (device !== slow) return Promise.resolve(true);
        slow = undefined;
        return held.promise;
      },
    });
  },
);

Deno.test(
  "one device has a bounded number of connections, a reconnect takes over its own",
  strict,
  () =>
    withBroker(async ({ url }) => {
      const id = newId();
      await using first = await connect(url, id, { clientId: `${id}-1` });
      await using _second = await connect(url, id, { clientId: `${id}-2` });
      await assertRejects(() => connect(url, id, { clientId: `${id}-3` }), Error);
      await using _again = await connect(url, id, { clientId: `${id}-1` });
      await until("the first is cut off", () => first.closed);
      assertEquals(first.disconnectReason, 0x8e);
    }, { maxConnectionsPerDevice: 2 }),
);

Deno.test(
  "a kept session waits for its device, with a bound",
  strict,
  () =>
    withBroker(async ({ url, bridge }) => {
      const [id, room] = [newId(), newId()];
      const kept = { url, username: id, password: `secret of ${id}`, clean: false };
      {
        await using device = await TestDevice.connect(kept);
        await device.subscribe(topics.events(id, "+"));
      }
      await using inside = await TestDevice.connect({ ...bridge, clientId: "confab-bridge-0" });
      const sent = Array.from({ length: 1200 }, (_, i) => i);
      await Promise.all(sent.map((i) => inside.publish(topics.events(id, room), String(i))));
      await using device = await TestDevice.connect(kept);
      await until("what was kept arrives", () => device.received.length >= 1000);
      const numbers = device.received.map((one) => Number(one.payload));
      assertEquals(numbers, sent.slice(0, 1000));
    }),
);

Deno.test(
  "an explicit port that is taken is refused, the default is stepped over",
  strict,
  () =>
    withBroker(async ({ port }) => {
      const same = {
        host: "127.0.0.1",
        prefix: "confab/",
        log,
        authenticate: () => Promise.resolve(true),
      };
      const error = await assertRejects(() => startBroker({ ...same, port }), Error);
      assertMatch(String((error as Error & { code?: string }).code), /EADDRINUSE/);
      const first = await startBroker(same);
      const second = await startBroker(same);
      assertNotEquals(first.port, second.port);
      await first.stop();
      await second.stop();
    }),
);

Deno.test(
  "publishes wait for the bridge, and for space in its queue",
  strict,
  () =>
    withBroker(async ({ url, bridge }) => {
      const [id, room] = [newId(), newId()];
      await using device = await connect(url, id);
      let acknowledged = 0;
      const sent = Array.from({ length: 8000 }, (_, i) => String(i));
      const publishes = sent.map((text) =>
        device.publish(topics.send(id, room), text).then(() => acknowledged++)
      );
      await using neighbour = await connect(url, newId());
      assert(await neighbour.subscribe(`${topics.own(neighbour.client.options.username!)}#`));
      assertEquals(acknowledged, 0);
      const deliveries: Delivery[] = [];
      const connection = new Connection({
        ...bridge,
        clientId: "confab-bridge-0",
        subscriptions: [
          { filter: topics.inbound().send, qos: 1, rh: 2 },
          { filter: topics.inbound().status, qos: 1, rh: 2 },
        ],
        onDelivery: (delivery) => {
          if (delivery.topic === own) delivery.acknowledge();
          else deliveries.push(delivery);
          isBack ||= delivery.topic === own;
          return Promise.resolve();
        },
      });
      const own = topics.status(newId());
      let isBack = false;
      await connection.ready;
      await until("as many as may wait", () => deliveries.length >= 2000);
      await connection.publish(own, "", { correlationData: OWN_MARK });
      await connection.publish(topics.errors(id), "{}"); // a round trip past the full queue
      // What one device had sent in one piece may go beyond the bound.
      assert(deliveries.length < 5000, `${deliveries.length} wait for the bridge at once`);
      assert(!isBack, "what the bridge sends to itself comes behind what is held");
      let done = 0;
      await until("all are delivered", () => {
        for (; done < deliveries.length; done++) deliveries[done]!.acknowledge();
        return done === sent.length;
      });
      await Promise.all(publishes);
      await until("the bridge's own is back", () => isBack);
      const texts = deliveries.map((one) => new TextDecoder().decode(one.payload));
      assertEquals(texts, sent);
      await connection.close();
    }),
);
