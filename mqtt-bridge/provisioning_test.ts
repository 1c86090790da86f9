import { assert, assertEquals, assertRejects } from "@std/assert";
import { deviceUsername } from "../lib/auth/devices.ts";
import { newId } from "../lib/ids.ts";
import { recordedLog } from "../testing/chat.ts";
import { passwordOf, withDynamicSecurity } from "../testing/mqtt_broker.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { findMosquitto, startMosquitto, type TestMosquitto } from "../testing/mosquitto.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";
import { EmbeddedProvisioner } from "./embedded_provisioner.ts";
import type { DeviceCredential } from "./ports.ts";
import type { DynamicSecurity } from "./provisioning.ts";
import { Topics } from "./topics.ts";

const topics = new Topics("confab/");
const mosquitto = await findMosquitto();
const bridgeOf = (broker: TestMosquitto) => ({ url: broker.url, ...broker.bridge });
const live = (id: string, generation = 1, former?: number): DeviceCredential => ({
  id,
  generation,
  plainGeneration: 1,
  ...(former === undefined ? {} : { former: { generation: former, endsInMs: 60_000 } }),
  disabled: false,
});
const ended = (id: string): DeviceCredential => ({ ...live(id), disabled: true });
const connect = (broker: TestMosquitto, id: string, generation = 1, version: 4 | 5 = 5) =>
  TestDevice.connect({
    url: broker.url,
    username: deviceUsername(id, { generation, plainGeneration: 1 }),
    password: passwordOf(id, generation),
    clientId: id,
    version,
  });

/** Makes the broker hold exactly these, and answers whose credentials had to change. */
async function reconcile(dynsec: DynamicSecurity, devices: DeviceCredential[]): Promise<string[]> {
  const ids = await dynsec.differing(devices);
  await dynsec.apply(ids.map((id) => devices.find((one) => one.id === id) ?? ended(id)));
  return ids.sort();
}

testWith(
  mosquitto,
  "differing() finds what is missing, wrong and too much, and apply() mends it",
  async () => {
    await using broker = await startMosquitto();
    const [kept, rotated, removed] = [newId(), newId(), newId()];
    await withDynamicSecurity(bridgeOf(broker), async (dynsec) => {
      const all = [live(kept), live(rotated), live(removed)];
      assertEquals(await reconcile(dynsec, all), [kept, rotated, removed].sort());
      await using keptDevice = await connect(broker, kept);
      await using rotatedDevice = await connect(broker, rotated);
      await using removedDevice = await connect(broker, removed);
      const now = [live(kept), live(rotated, 2)];
      assertEquals(await reconcile(dynsec, now), [rotated, removed].sort());
      await until("old sessions end", () => rotatedDevice.closed && removedDevice.closed);
      await assertRejects(() => connect(broker, rotated, 1), Error);
      await assertRejects(() => connect(broker, removed), Error);
      await using again = await connect(broker, rotated, 2);
      assertEquals(await reconcile(dynsec, now), []);
      assert(!keptDevice.closed && !again.closed, "nothing changed, so nobody was cut off");
    });
    await withDynamicSecurity(bridgeOf(broker), async (dynsec) => {
      assertEquals(await dynsec.differing([live(kept), live(rotated, 2)]), []);
    });
  },
);

testWith(mosquitto, "what somebody else changed at the broker is repaired", async () => {
  await using broker = await startMosquitto();
  const [changed, switchedOff, deleted, unbound] = [newId(), newId(), newId(), newId()];
  const devices = [changed, switchedOff, deleted, unbound].map((id) => live(id));
  await withDynamicSecurity(bridgeOf(broker), async (dynsec) => {
    await reconcile(dynsec, devices);
    await dynsec.ask([
      { command: "modifyClient", username: changed, password: "another", textname: "another" },
      { command: "disableClient", username: switchedOff },
      { command: "deleteClient", username: deleted },
      { command: "setClientId", username: unbound, clientid: "" },
      { command: "createClient", username: "theirs", password: "theirs" },
    ]);
    const needless = newId();
    await dynsec.ask([{ command: "createClient", username: `${needless}.3`, password: "x" }]);
    assertEquals(
      await reconcile(dynsec, devices),
      [changed, switchedOff, deleted, unbound, needless].sort(),
    );
    for (const { id } of devices) await (await connect(broker, id))[Symbol.asyncDispose]();
    const [listed] = await dynsec.ask([{ command: "listClients", verbose: false }]);
    const { clients } = listed!.data as { clients: string[] };
    assertEquals(
      clients.toSorted(),
      [...devices.map(({ id }) => id), broker.bridge.username, "theirs"].sort(),
    );
  });
});

testWith(mosquitto, "hundreds of devices fit into a broker as it is shipped", async () => {
  await using broker = await startMosquitto();
  const devices = Array.from({ length: 300 }, () => live(newId()));
  await withDynamicSecurity(bridgeOf(broker), (dynsec) => reconcile(dynsec, devices));
  await using first = await connect(broker, devices[0]!.id);
  await using last = await connect(broker, devices.at(-1)!.id);
  assert(!first.closed && !last.closed);
});

testWith(mosquitto, "apply() makes, rotates and removes one device", async () => {
  await using broker = await startMosquitto();
  const id = newId();
  await withDynamicSecurity(bridgeOf(broker), async (dynsec) => {
    await dynsec.apply([live(id)]);
    await using first = await connect(broker, id, 1, 4);
    await dynsec.apply([live(id)]);
    assert(!first.closed);
    await dynsec.apply([live(id, 2)]);
    await until("the old session ends", () => first.closed);
    await using second = await connect(broker, id, 2);
    await dynsec.apply([ended(id)]);
    await until("the session ends", () => second.closed);
    await dynsec.apply([ended(id)]);
    await assertRejects(() => connect(broker, id, 2), Error);
  });
});

testWith(mosquitto, "two secrets are good during a grace, and the former then ends", async () => {
  await using broker = await startMosquitto();
  const id = newId();
  await withDynamicSecurity(bridgeOf(broker), async (dynsec) => {
    await dynsec.apply([live(id)]);
    await using former = await connect(broker, id, 1);
    await dynsec.apply([live(id, 2, 1)]);
    assert(!former.closed, "it goes on");
    await using again = await connect(broker, id, 1);
    await until("one client id, one connection", () => former.closed);
    await using fresh = await connect(broker, id, 2);
    await until("one client id, one connection", () => again.closed);
    await dynsec.apply([live(id, 2)]);
    await assertRejects(() => connect(broker, id, 1), Error);
    assert(!fresh.closed, "the new secret's session goes on");
    await dynsec.apply([live(id, 3, 2)]);
    assert(!fresh.closed);
    await dynsec.apply([live(id, 3)]);
    await until("the former's session ends", () => fresh.closed);
    await using _last = await connect(broker, id, 3);
  });
});

testWith(mosquitto, "a kept session goes on with the next secret", async () => {
  await using broker = await startMosquitto();
  const [id, room] = [newId(), newId()];
  const keeping = (generation: number) =>
    TestDevice.connect({
      url: broker.url,
      username: deviceUsername(id, { generation, plainGeneration: 1 }),
      password: passwordOf(id, generation),
      clientId: id,
      clean: false,
    });
  await withDynamicSecurity(bridgeOf(broker), async (dynsec) => {
    await dynsec.apply([live(id)]);
    {
      await using device = await keeping(1);
      await device.subscribe(topics.events(id, "+"));
    }
    await using inside = await TestDevice.connect({
      ...bridgeOf(broker),
      clientId: "confab-bridge-0",
    });
    await inside.publish(topics.events(id, room), '{"seq":1}');
    await dynsec.apply([live(id, 2, 1)]);
    await inside.publish(topics.events(id, room), '{"seq":2}');
    await using device = await keeping(2);
    await inside.publish(topics.events(id, room), '{"seq":3}');
    const events = await device.waitFor(topics.events(id, room), 3);
    assertEquals(events.map(({ seq }) => seq), [1, 2, 3]);
  });
});

testWith(mosquitto, "the username of an older deployment keeps its later secret", async () => {
  await using broker = await startMosquitto();
  const id = newId();
  const older = (generation: number) => ({ ...live(id, generation), plainGeneration: 3 });
  const connectAs = (username: string, generation: number) =>
    TestDevice.connect({
      url: broker.url,
      username,
      password: passwordOf(id, generation),
      clientId: id,
    });
  await withDynamicSecurity(bridgeOf(broker), async (dynsec) => {
    await dynsec.apply([older(3)]);
    await using device = await connectAs(id, 3);
    assertEquals(await dynsec.differing([older(3)]), []);
    await dynsec.apply([older(4)]);
    await until("the old session ends", () => device.closed);
    await using _next = await connectAs(`${id}.4`, 4);
    await assertRejects(() => connectAs(id, 3), Error);
    await assertRejects(() => connectAs(id, 4), Error);
  });
});

testWith(mosquitto, "credentials survive a kill -9 of the broker", async () => {
  await using broker = await startMosquitto();
  const id = newId();
  await withDynamicSecurity(bridgeOf(broker), (dynsec) => dynsec.apply([live(id, 2, 1)]));
  await broker.kill("SIGKILL");
  await broker.start();
  await using device = await connect(broker, id, 2);
  assert(!device.closed);
  await using _former = await connect(broker, id, 1);
});

testWith(mosquitto, "a client id is bound to its device, by all its secrets", async () => {
  await using broker = await startMosquitto();
  const [a, b] = [newId(), newId()];
  await withDynamicSecurity(bridgeOf(broker), (dynsec) => dynsec.apply([live(a), live(b, 2, 1)]));
  await using victim = await connect(broker, a);
  for (const clientId of [a, `${b}-x`, `${b}.2`, "confab-bridge-0", ""]) {
    for (const [username, generation] of [[b, 1], [`${b}.2`, 2]] as const) {
      const stolen = { url: broker.url, username, password: passwordOf(b, generation), clientId };
      await assertRejects(() => TestDevice.connect(stolen), Error);
    }
  }
  assert(!victim.closed);
});

testWith(mosquitto, "accounts that may choose their client id are named in the log", async () => {
  await using broker = await startMosquitto();
  const device = newId();
  const { log, lines } = recordedLog();
  await withDynamicSecurity(bridgeOf(broker), async (dynsec) => {
    await dynsec.apply([live(device)]);
    assertEquals(lines, []);
    await dynsec.ask([
      { command: "createClient", username: "free", password: "x" },
      { command: "createClient", username: "bound", password: "x", clientid: "bound" },
      { command: "createClient", username: "off", password: "x" },
      { command: "disableClient", username: "off" },
    ]);
    assertEquals(await dynsec.differing([live(device)]), []);
  }, log);
  const [line, ...others] = lines.map((line) => JSON.parse(line));
  assertEquals([line.usernames, others], [["free"], []]);
});

for (const [version, generation] of [[4, 1], [5, 1], [5, 2]] as const) {
  testWith(
    mosquitto,
    `Mosquitto shows and takes only a device's own topics (${version}, secret ${generation})`,
    async () => {
      await using broker = await startMosquitto();
      const [a, b, room] = [newId(), newId(), newId()];
      await withDynamicSecurity(
        bridgeOf(broker),
        (dynsec) => dynsec.apply([live(a, generation), live(b, generation)]),
      );
      await using device = await connect(broker, a, generation, version);
      await using other = await connect(broker, b, generation, version);
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

Deno.test("EmbeddedProvisioner kicks what is not good any more", async () => {
  const kicked: [string, readonly string[]][] = [];
  const provisioner = new EmbeddedProvisioner((id, good) => kicked.push([id, good]));
  const [a, b, c] = [newId(), newId(), newId()];
  const all = [live(a), live(b), live(c)];
  assertEquals(await provisioner.differing(all), [a, b, c]);
  await provisioner.apply(all);
  assertEquals(await provisioner.differing(all), []);
  assertEquals(await provisioner.differing([live(a), live(b, 2, 1)]), [c, b]);
  kicked.length = 0;
  await provisioner.apply([live(b, 2, 1), ended(c)]);
  await provisioner.apply([live(b, 2)]);
  assertEquals(kicked, [[b, [`${b}.2`, b]], [c, []], [b, [`${b}.2`]]]);
  assertEquals(await provisioner.differing([live(a), live(b, 2)]), []);
});
