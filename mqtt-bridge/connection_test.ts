import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConfabError } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import { brokerKinds, passwordOf, type TestBroker } from "../testing/mqtt_broker.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";
import { Connection } from "./connection.ts";
import type { Delivery } from "./delivery.ts";
import { Topics } from "./topics.ts";

const topics = new Topics("confab/");
const CLIENT_ID = "confab-bridge-0";

interface Link {
  connection: Connection;
  deliveries: Delivery[];
  texts(): string[];
}

async function open(broker: TestBroker, window?: number): Promise<Link> {
  const deliveries: Delivery[] = [];
  const connection = new Connection({
    ...broker.bridge,
    clientId: CLIENT_ID,
    subscriptions: [{ filter: topics.inbound().send, qos: 1, rh: 2 }],
    ...(window === undefined ? {} : { window }),
    onDelivery: (delivery) => {
      deliveries.push(delivery);
      return Promise.resolve();
    },
  });
  await connection.ready;
  const texts = () => deliveries.map((one) => new TextDecoder().decode(one.payload));
  return { connection, deliveries, texts };
}

async function device(broker: TestBroker, version: 4 | 5 = 5): Promise<TestDevice> {
  const id = await broker.addDevice();
  return TestDevice.connect({ url: broker.url, username: id, password: passwordOf(id), version });
}
const idOf = (one: TestDevice) => one.client.options.username as string;

for (const kind of await brokerKinds()) {
  testWith(kind.service, `what was not acknowledged comes again (${kind.name})`, async () => {
    await using broker = await kind.start();
    const room = newId();
    const first = await open(broker);
    await using sender = await device(broker, 4);
    const sent = Array.from({ length: 200 }, (_, i) => `message ${i}`);
    await Promise.all(sent.map((text) => sender.publish(topics.send(idOf(sender), room), text)));
    await until("all are received before any is acknowledged", () => first.texts().length >= 200);
    assertEquals(first.texts(), sent);
    for (const delivery of first.deliveries.slice(0, 50)) delivery.acknowledge();
    // Out of order: the broker must not be told before those ahead of it are done.
    for (const delivery of first.deliveries.slice(60)) delivery.acknowledge();
    await first.connection.publish(topics.errors(idOf(sender)), "a round trip after the PUBACKs");
    await first.connection.close({ politely: false });
    first.deliveries[55]!.acknowledge(); // too late: that connection is over
    const second = await open(broker);
    await until("the rest comes again", () => second.texts().length >= 150);
    assertEquals(second.texts().sort(), sent.slice(50).sort());
    for (const delivery of second.deliveries) delivery.acknowledge();
    await second.connection.publish(topics.errors(idOf(sender)), "a round trip");
    await second.connection.close();
    const third = await open(broker);
    await sender.publish(topics.send(idOf(sender), room), "later");
    await until("the later one", () => third.texts().length > 0);
    assertEquals(third.texts(), ["later"]);
    await third.connection.close();
  });

  testWith(kind.service, `a message that waits for long is overtaken (${kind.name})`, async () => {
    await using broker = await kind.start();
    const first = await open(broker, 10);
    await using sender = await device(broker);
    const topic = topics.send(idOf(sender), newId());
    await sender.publish(topic, "stuck");
    await until("it arrives", () => first.deliveries.length === 1);
    for (let i = 0; i < 40; i++) await sender.publish(topic, `${i}`);
    let done = 1;
    await until("the window goes on without the stuck one", () => {
      for (; done < first.deliveries.length; done++) first.deliveries[done]!.acknowledge();
      return first.deliveries.length === 41;
    });
    await first.connection.close();
    const second = await open(broker);
    await until("the stuck one comes again", () => second.deliveries.length > 0);
    assertEquals(second.texts()[0], "stuck");
    await second.connection.close();
  });

  testWith(kind.service, `what is dropped at QoS 0 is told of (${kind.name})`, async () => {
    await using broker = await kind.start();
    await using sender = await device(broker);
    const topic = topics.send(idOf(sender), newId());
    const over = Promise.withResolvers<void>();
    const dropped: string[] = [];
    let taken = 0;
    const connection = new Connection({
      ...broker.bridge,
      clientId: CLIENT_ID,
      subscriptions: [{ filter: topics.inbound().send, qos: 1, rh: 2 }],
      window: 2,
      onDelivery: () => {
        taken++;
        return over.promise;
      },
      onDropped: (topic) => dropped.push(topic),
    });
    await connection.ready;
    for (let i = 0; i < 10; i++) await sender.publish(topic, `${i}`, { qos: 0 });
    await until("all have come", () => taken + dropped.length === 10);
    assertEquals([taken, dropped], [4, new Array(6).fill(topic)]);
    over.resolve();
    await connection.close();
  });

  testWith(
    kind.service,
    `a second connection takes over and the first knows (${kind.name})`,
    async () => {
      await using broker = await kind.start();
      const first = await open(broker);
      const second = await open(broker);
      // Mosquitto 2.0.11 closes without saying why, which is why a bridge renews its lease first.
      const ends = kind.name === "aedes" ? ["taken_over"] : ["taken_over", "closed"];
      assert(ends.includes(await first.connection.ended));
      await assertRejects(
        () => first.connection.publish(topics.errors(newId()), "x"),
        ConfabError,
        "does not answer",
      );
      await second.connection.publish(topics.errors(newId()), "still here");
      await second.connection.close();
      assertEquals(await second.connection.ended, "closed");
    },
  );

  testWith(kind.service, `a wrong password is reported, not repeated (${kind.name})`, async () => {
    await using broker = await kind.start();
    const connection = new Connection({
      ...broker.bridge,
      password: "wrong",
      clientId: CLIENT_ID,
      subscriptions: [],
      onDelivery: () => Promise.resolve(),
    });
    await assertRejects(() => connection.ready, Error);
    assertEquals(await connection.ended, "failed");
  });

  testWith(
    kind.service,
    `retained messages and MQTT 5 properties are told (${kind.name})`,
    async () => {
      await using broker = await kind.start();
      const link = await open(broker);
      await using sender = await device(broker);
      const topic = topics.send(idOf(sender), newId());
      await sender.publish(topic, "x", {
        retain: true,
        properties: {
          userProperties: { "client-id": "abc" },
          correlationData: new Uint8Array([1, 2]) as never,
          responseTopic: topics.responses(idOf(sender)),
        },
      });
      await until("it arrives", () => link.deliveries.length > 0);
      const { properties, retained } = link.deliveries[0]!;
      assertEquals(properties.clientId, "abc");
      assertEquals([...properties.correlationData!], [1, 2]);
      assertEquals(properties.responseTopic, topics.responses(idOf(sender)));
      assert(!retained);
      link.deliveries[0]!.acknowledge();
      await link.connection.publish(topics.errors(idOf(sender)), "a round trip");
      await link.connection.close();
      const again = await open(broker);
      await sender.publish(topic, "y");
      await until("the new one arrives", () => again.texts().includes("y"));
      assertEquals(again.texts(), ["y"]);
      await again.connection.close();
    },
  );
}

Deno.test("a broker that is not there is reported within the deadline", async () => {
  const connection = new Connection({
    url: "mqtt://127.0.0.1:9",
    clientId: CLIENT_ID,
    subscriptions: [],
    onDelivery: () => Promise.resolve(),
  });
  await assertRejects(() => connection.ready, Error);
  assertEquals(await connection.ended, "failed");
});
