/** What stays at a broker for those who subscribe later: nothing of a device that is gone. */
import { assert, assertEquals } from "@std/assert";
import type { Principal } from "../lib/auth/principal.ts";
import { bridgeStore } from "../lib/chat/bridge.ts";
import { deleteDevice, disableDevice } from "../lib/chat/devices.ts";
import { removeMember, setMember } from "../lib/chat/members.ts";
import { createRoom } from "../lib/chat/rooms.ts";
import { newId } from "../lib/ids.ts";
import { brokerKinds } from "../testing/mqtt_broker.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { MqttScene, topics } from "../testing/mqtt_scene.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

/** The topics below a device's prefix that hold something. */
async function retainedOf(scene: MqttScene, device: string, reader: TestDevice): Promise<string[]> {
  // With the bridge's own account; what is retained last comes last.
  await using admin = await TestDevice.connect({
    ...scene.broker.bridge,
    clientId: "confab-bridge-7",
  });
  const fence = topics.head(device, newId());
  await admin.publish(fence, JSON.stringify({ epoch: "fence", seq: 0 }), { retain: true });
  await reader.subscribe(`${topics.own(device)}#`);
  await until("the fence", () => reader.received.some(({ topic }) => topic === fence));
  const retained = reader.received.filter((one) => one.retained && one.topic !== fence);
  return [...new Set(retained.map(({ topic }) => topic))];
}

/** The topics of which the broker holds what devices have said, as a bridge is shown them. */
async function keptOf(scene: MqttScene, fencer: Principal): Promise<string[]> {
  await using reader = await TestDevice.connect({
    ...scene.broker.bridge,
    clientId: "confab-bridge-8",
  });
  const fence = topics.status(fencer.id);
  await using last = await scene.connect(fencer);
  await last.publish(fence, "fence", { retain: true });
  const { reported, status } = topics.inbound();
  await reader.subscribe(reported);
  await reader.subscribe(status);
  await until("the fence", () => reader.received.some(({ topic }) => topic === fence));
  await reader.subscribe(topics.inbound().replies); // a round trip
  await last.publish(fence, "", { retain: true });
  const kept = reader.received.filter((one) => one.retained && one.topic !== fence);
  return kept.map(({ topic }) => topic).sort();
}

for (const kind of await brokerKinds()) {
  testWith(kind.service, `${kind.name}: a room that a device left shows it nothing`, async () => {
    await using scene = await MqttScene.start(kind);
    const { chat } = scene.chat;
    await scene.bridge();
    const settings = { name: "S", topic: "", visibility: "private" as const, metadata: {} };
    const other = (await createRoom(chat, scene.owner, settings)).id;
    const device = await scene.device();
    await setMember(chat, scene.owner, other, device.id, "member");
    await using first = await scene.connect(device);
    for (const room of [scene.room, other]) await first.waitFor(topics.head(device.id, room));
    await removeMember(chat, scene.owner, scene.room, device.id);
    await until(
      "the head is cleared",
      () =>
        first.received.some(({ topic, payload }) =>
          topic === topics.head(device.id, scene.room) && payload === ""
        ),
    );
    await scene.say("unheard");
    await using later = await scene.connect(device);
    assertEquals(await retainedOf(scene, device.id, later), [topics.head(device.id, other)]);
  });

  testWith(kind.service, `${kind.name}: nothing of ours stays of a deleted device`, async () => {
    await using scene = await MqttScene.start(kind);
    const { chat } = scene.chat;
    await scene.bridge();
    const [device, neighbour] = [await scene.device(), await scene.device()];
    await using listener = await scene.connect(neighbour);
    {
      await using first = await scene.connect(device);
      await first.waitFor(topics.head(device.id, scene.room));
      await first.publish(topics.status(device.id), '{"online":true}', { retain: true });
      await first.publish(topics.send(device.id, scene.room), "kept?", { retain: true });
      await first.waitFor(topics.receipts(device.id));
      await deleteDevice(chat, scene.owner, device.id);
      await until("it is cut off", () => first.closed);
    }
    const seq = await scene.say("after it");
    await until(
      "the log is delivered",
      () => listener.json(topics.events(neighbour.id, scene.room)).at(-1)?.seq === seq,
    );
    await scene.stopBridges();
    // The same device once more, which no real one can be
    await scene.broker.addDevice(device.id);
    await using ghost = await scene.connect(device);
    assertEquals(await retainedOf(scene, device.id, ghost), []);
    const fresh = await scene.broker.addDevice();
    await using newcomer = await scene.connect({ ...device, id: fresh });
    assertEquals(await retainedOf(scene, fresh, newcomer), []);
    assert(!listener.closed);
  });

  testWith(
    kind.service,
    `${kind.name}: what a device said is not kept when it is deleted or removed`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const { chat: { chat }, owner, room } = scene;
      let bridge = await scene.bridge();
      const fencer = await scene.device(false);
      const status = ({ id }: { id: string }) => topics.status(id);
      const reported = ({ id }: { id: string }) => topics.reported(id, room);
      for (const watched of [true, false]) {
        const [deleted, removed, disabled, stays] = await Promise.all(
          [0, 1, 2, 3].map(() => scene.device()),
        ) as [Principal, Principal, Principal, Principal];
        for (const device of [deleted, removed, disabled, stays]) {
          await using said = await scene.connect(device);
          await said.publish(status(device), '{"online":true}', { retain: true });
          await said.publish(reported(device), '{"on":true}', { retain: true });
        }
        if (!watched) await scene.stopBridges();
        await disableDevice(chat, owner, disabled.id);
        await deleteDevice(chat, owner, deleted.id);
        await removeMember(chat, owner, room, removed.id);
        if (!watched) bridge = await scene.bridge();
        else for (const { id } of [disabled, deleted]) bridge.revoked(id); // as the bus says
        const kept = [
          ...[status(removed), status(disabled), reported(disabled)],
          ...[status(stays), reported(stays)],
        ].sort();
        await until("only what is so is kept", async () => {
          return JSON.stringify(await keptOf(scene, fencer)) === JSON.stringify(kept);
        });
        const { state } = (await bridgeStore(chat).states([{ room, device: stays.id }]))[0]!;
        assertEquals(state.reported, { on: true });
        for (const { id } of [removed, disabled, stays]) {
          await deleteDevice(chat, owner, id);
          bridge.revoked(id); // the same: of a disabled one the beacon shows nothing
        }
        await until("nothing is kept", async () => (await keptOf(scene, fencer)).length === 0);
      }
    },
  );
}
