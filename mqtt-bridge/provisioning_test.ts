import { assert, assertEquals, assertRejects } from "@std/assert";
import { newId } from "../lib/ids.ts";
import { passwordOf, withDynamicSecurity } from "../testing/mqtt_broker.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { findMosquitto, startMosquitto, type TestMosquitto } from "../testing/mosquitto.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";
import { EmbeddedProvisioner } from "./embedded_provisioner.ts";
import { Topics } from "./topics.ts";

const topics = new Topics("confab/");
const mosquitto = await findMosquitto();
const bridgeOf = (broker: TestMosquitto) => ({ url: broker.url, ...broker.bridge });
const live = (id: string, generation = 1) => ({ id, generation, disabled: false });
const connect = (broker: TestMosquitto, id: string, generation = 1, version: 4 | 5 = 5) =>
  TestDevice.connect({
    url: broker.url,
    username: id,
    password: passwordOf(id, generation),
    version,
  });

testWith(
  mosquitto,
  "reconcile() makes, repairs and removes clients and is idempotent",
  async () => {
    await using broker = await startMosquitto();
    const [kept, rotated, removed] = [newId(), newId(), newId()];
    await withDynamicSecurity(bridgeOf(broker), async (dynsec) => {
      await dynsec.reconcile([live(kept), live(rotated), live(removed)]);
      await using keptDevice = await connect(broker, kept);
      await using rotatedDevice = await connect(broker, rotated);
      await using removedDevice = await connect(broker, removed);
      await dynsec.reconcile([live(kept), live(rotated, 2), { ...live(removed), disabled: true }]);
      await until("old sessions end", () => rotatedDevice.closed && removedDevice.closed);
      await assertRejects(() => connect(broker, rotated, 1), Error);
      await assertRejects(() => connect(broker, removed), Error);
      await using _again = await connect(broker, rotated, 2);
      await dynsec.reconcile([live(kept), live(rotated, 2)]);
      await dynsec.reconcile([live(kept), live(rotated, 2)]);
      assert(!keptDevice.closed && !_again.closed, "nothing changed, so nobody was cut off");
    });
  },
);

testWith(mosquitto, "hundreds of devices fit into a broker as it is shipped", async () => {
  await using broker = await startMosquitto();
  const devices = Array.from({ length: 300 }, () => live(newId()));
  await withDynamicSecurity(bridgeOf(broker), (dynsec) => dynsec.reconcile(devices));
  await using first = await connect(broker, devices[0]!.id);
  await using last = await connect(broker, devices.at(-1)!.id);
  assert(!first.closed && !last.closed);
});

testWith(mosquitto, "ensure() makes, rotates and removes one device", async () => {
  await using broker = await startMosquitto();
  const id = newId();
  await withDynamicSecurity(bridgeOf(broker), async (dynsec) => {
    await dynsec.ensure(live(id));
    await using first = await connect(broker, id, 1, 4);
    await dynsec.ensure(live(id));
    assert(!first.closed);
    await dynsec.ensure(live(id, 2));
    await until("the old session ends", () => first.closed);
    await using second = await connect(broker, id, 2);
    await dynsec.ensure({ ...live(id, 2), disabled: true });
    await until("the session ends", () => second.closed);
    await dynsec.ensure({ ...live(id, 2), disabled: true });
    await assertRejects(() => connect(broker, id, 2), Error);
  });
});

testWith(mosquitto, "credentials survive a kill -9 of the broker", async () => {
  await using broker = await startMosquitto();
  const id = newId();
  await withDynamicSecurity(bridgeOf(broker), (dynsec) => dynsec.ensure(live(id)));
  await broker.kill("SIGKILL");
  await broker.start();
  await using device = await connect(broker, id);
  assert(!device.closed);
});

testWith(mosquitto, "a client id is bound to its device", async () => {
  await using broker = await startMosquitto();
  const [a, b] = [newId(), newId()];
  await withDynamicSecurity(bridgeOf(broker), (dynsec) => dynsec.reconcile([live(a), live(b)]));
  await using victim = await connect(broker, a);
  for (const clientId of [a, `${b}-x`, "confab-bridge-0"]) {
    const stolen = { url: broker.url, username: b, password: passwordOf(b), clientId };
    await assertRejects(() => TestDevice.connect(stolen), Error);
  }
  assert(!victim.closed);
});

for (const version of [4, 5] as const) {
  testWith(
    mosquitto,
    `Mosquitto shows and takes only a device's own topics (${version})`,
    async () => {
      await using broker = await startMosquitto();
      const [a, b, room] = [newId(), newId(), newId()];
      await withDynamicSecurity(bridgeOf(broker), (dynsec) => dynsec.reconcile([live(a), live(b)]));
      await using device = await connect(broker, a, 1, version);
      await using other = await connect(broker, b, 1, version);
      await using inside = await TestDevice.connect({
        ...bridgeOf(broker),
        clientId: "confab-bridge-0",
      });
      assert(await inside.subscribe(topics.inbound().send));
      const greedy = ["#", "confab/#", "$SYS/#", "$CONTROL/#", topics.events("+", "+")];
      for (const filter of [...greedy, `$share/g/${topics.events("+", "+")}`]) {
        await device.subscribe(filter);
      }
      const forged = [topics.send(b, room), topics.events(a, room), topics.receipts(b), "x"];
      for (const topic of forged) await device.publish(topic, "forged").catch(() => {});
      await device.publish("$CONTROL/dynamic-security/v1", '{"commands":[]}').catch(() => {});
      await other.publish(topics.send(b, room), "honest");
      await until("the honest one", () => inside.received.length > 0);
      assertEquals(inside.received.map((one) => one.payload), ["honest"]);
      await inside.publish(topics.events(b, room), '{"seq":1}');
      await inside.publish(topics.events(a, room), '{"seq":2}');
      await until("its own event", () => device.received.length > 0);
      // A grant may show it more than once, for overlapping filters; never somebody else's.
      assertEquals([...new Set(device.received.map((one) => one.topic))], [topics.events(a, room)]);
    },
  );
}

Deno.test("EmbeddedProvisioner kicks on a new secret and at the end of access", async () => {
  const kicked: string[] = [];
  const provisioner = new EmbeddedProvisioner((id) => kicked.push(id));
  await provisioner.reconcile([live("a"), live("b"), live("c")]);
  await provisioner.reconcile([live("a"), live("b"), live("c")]);
  assertEquals(kicked, []);
  await provisioner.ensure(live("a", 2));
  await provisioner.reconcile([live("a", 2), live("b", 2)]);
  assertEquals(kicked, ["a", "b", "c"]);
  await provisioner.ensure({ ...live("a", 2), disabled: true });
  assertEquals(kicked, ["a", "b", "c", "a"]);
});
