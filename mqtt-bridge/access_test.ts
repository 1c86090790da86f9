/**
 * Access of devices through the whole bridge, on both brokers: what ends, ends within 2 seconds; and
 * beacons are so far apart that only notices and known ends can do it.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Principal } from "../lib/auth/principal.ts";
import { disableDevice, enableDevice, rotateDevice } from "../lib/chat/devices.ts";
import { listMembers } from "../lib/chat/members.ts";
import { brokerKinds } from "../testing/mqtt_broker.ts";
import { MqttScene, topics } from "../testing/mqtt_scene.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";
import type { Bridge } from "./bridge.ts";

const WITHIN_MS = 2000;

async function startBridge(scene: MqttScene): Promise<Bridge> {
  const bridge = await scene.bridge({ beaconSeconds: 600 });
  scene.chat.chat.bus.listen({
    revoked: (revocation) => {
      if ("session" in revocation) return;
      bridge.revoked("device" in revocation ? revocation.device : revocation.principal);
    },
    resumed: () => {},
    connected: () => {},
  });
  return bridge;
}

/** A member of the room that the broker knows. */
async function newMember(scene: MqttScene, bridge: Bridge): Promise<Principal> {
  const device = await scene.device();
  bridge.revoked(device.id);
  return device;
}

for (const kind of await brokerKinds()) {
  testWith(kind.service, `two secrets work until the grace is over (${kind.name})`, async () => {
    await using scene = await MqttScene.start(kind);
    const { owner, room, chat: { chat, db } } = scene;
    const bridge = await startBridge(scene);
    const [first, second] = [await newMember(scene, bridge), await newMember(scene, bridge)];
    for (const { id } of [first, second]) await rotateDevice(chat, owner, id, 600);
    await using fresh = await scene.connect(first, { generation: 2 });
    await using former = await scene.connect(second);
    for (const [device, firmware] of [[first, fresh], [second, former]] as const) {
      await firmware.publish(topics.send(device.id, room), "hello");
      await firmware.waitFor(topics.receipts(device.id));
    }
    assert(!former.closed && !fresh.closed);
    for (const { id } of [first, second]) {
      await db.query(
        "update devices set former_until = now() + interval '0.5 seconds' where id = $1",
        [id],
      );
      bridge.revoked(id);
    }
    await until("the former secret's session ends", () => former.closed, 500 + WITHIN_MS);
    await assertRejects(() => scene.connectOnce(second), Error);
    await using _next = await scene.connect(second, { generation: 2 });
    await fresh.publish(topics.send(first.id, room), "still here");
    await fresh.waitFor(topics.receipts(first.id), 2);
  });

  testWith(
    kind.service,
    `a disabled device is out within 2 s, and comes back (${kind.name})`,
    async () => {
      await using scene = await MqttScene.start(kind);
      const { owner, room, chat: { chat, db } } = scene;
      const bridge = await startBridge(scene);
      const device = await newMember(scene, bridge);
      const events = topics.events(device.id, room);
      const seqs = (firmware: { json(topic: string): { seq: number }[] }) =>
        firmware.json(events).map(({ seq }) => seq);
      {
        await using firmware = await scene.connect(device);
        const before = await scene.say("before");
        await until("the feed", () => seqs(firmware).includes(before));
        await disableDevice(chat, owner, device.id);
        await until("the session ends", () => firmware.closed, WITHIN_MS);
      }
      await until(
        "nobody signs in",
        () => scene.connectOnce(device).then(() => false, () => true),
        WITHIN_MS,
      );
      const members = await listMembers(chat, owner, room, { limit: 10 });
      assert(members.items.some(({ principal }) => principal.id === device.id), "still a member");
      const missed = [await scene.say("missed"), await scene.say("missed, too")];
      await until("the room goes on", async () => {
        const [row] = await db.query("select seq from bridge_cursors where room_id = $1", [room]);
        return Number(row?.seq) >= missed.at(-1)!;
      });
      await enableDevice(chat, owner, device.id);
      await using firmware = await scene.connect(device);
      await until(
        "the head",
        () => firmware.json(topics.head(device.id, room)).some(({ seq }) => seq >= missed.at(-1)!),
      );
      const after = await scene.say("after");
      await until("the feed is back", () => seqs(firmware).includes(after));
      for (const seq of missed) assert(!seqs(firmware).includes(seq), "it must ask for these");
      const request = { requestId: "1", type: "log", room, after: missed[0]! - 1 };
      await firmware.publish(topics.requests(device.id), JSON.stringify(request));
      const [page] = await firmware.waitFor(topics.responses(device.id));
      assertEquals(page.entries.map(({ seq }: { seq: number }) => seq), [...missed, after]);
      await firmware.publish(topics.send(device.id, room), "back");
      await firmware.waitFor(topics.receipts(device.id));
    },
  );

  // The embedded broker keeps none.
  if (kind.name === "Mosquitto") {
    testWith(kind.service, "a broker that lost everything has all credentials again", async () => {
      await using scene = await MqttScene.start(kind);
      const { owner, room, chat: { chat } } = scene;
      const bridge = await startBridge(scene);
      const [plain, rotating, disabled] = [
        await newMember(scene, bridge),
        await newMember(scene, bridge),
        await newMember(scene, bridge),
      ];
      await rotateDevice(chat, owner, rotating.id, 600);
      for (const device of [plain, disabled]) {
        await using _once = await scene.connect(device);
      }
      await scene.broker.forget!();
      await disableDevice(chat, owner, disabled.id);
      await using firmware = await scene.connect(plain);
      await using _former = await scene.connect(rotating);
      await using _fresh = await scene.connect(rotating, { generation: 2 });
      await assertRejects(() => scene.connectOnce(disabled), Error);
      await firmware.publish(topics.send(plain.id, room), "after all");
      await firmware.waitFor(topics.receipts(plain.id));
    });
  }

  testWith(kind.service, `a disabled device stores nothing (${kind.name})`, async () => {
    await using scene = await MqttScene.start(kind);
    const { owner, room, chat: { chat } } = scene;
    const device = await scene.device();
    // Nobody tells this bridge: what refuses is the store.
    await scene.bridge({ beaconSeconds: 600 });
    await using firmware = await scene.connect(device);
    await firmware.publish(topics.send(device.id, room), "hello");
    await firmware.waitFor(topics.receipts(device.id));
    await disableDevice(chat, owner, device.id);
    const { length } = await scene.log();
    await firmware.publish(topics.send(device.id, room), "late");
    const [error] = await firmware.waitFor(topics.errors(device.id));
    // The store's word, or that of a bridge which has just looked who it is.
    assert(["not_found", "unauthenticated"].includes(error.code), error.code);
    assertEquals((await scene.log()).length, length);
  });
}
