/**
 * Last wills that wait (MQTT 5) while the access of the connection that left them ends: on both
 * brokers nobody hears of them, and the session that is kept goes on.
 */
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import {
  type DeviceAccess,
  type DeviceWorld,
  deviceWorlds,
  topicIn,
} from "../testing/device_world.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

/** Seconds that a will waits: longer than it takes to end an access. */
const DELAY_SECONDS = 4;

/** Leaves a will that waits, and a session that is kept, by a connection that drops. */
async function leave(world: DeviceWorld, device: DeviceAccess, topic: string, payload: unknown) {
  const dying = await world.listen(device, {
    clean: false,
    will: {
      topic,
      payload: Buffer.from(JSON.stringify(payload)),
      qos: 1,
      retain: true,
      properties: { willDelayInterval: DELAY_SECONDS },
    },
  });
  await dying.drop();
}

for (const kind of await deviceWorlds()) {
  testWith(
    kind.service,
    `${kind.name}: a will that waits is not heard after the access has ended`,
    async () => {
      await using world = await kind.start();
      const room = await world.room();
      const devices = await Promise.all(Array.from({ length: 7 }, () => world.device(room)));
      const [rotated, deleted, disabled, ...statuses] = devices as [
        ...[DeviceAccess, DeviceAccess, DeviceAccess],
        ...DeviceAccess[],
      ];
      const [impostor, ghost, sleeper, good] = statuses as [
        ...[DeviceAccess, DeviceAccess, DeviceAccess, DeviceAccess],
      ];
      for (const device of [rotated, deleted, disabled, good]) {
        const text = `will of ${device.id}`;
        await leave(world, device, topicIn(device.topics.send!, room), { text });
      }
      for (const device of [impostor, ghost, sleeper]) {
        await leave(world, device, device.topics.status!, { online: true, session: 9 });
      }
      await world.say(room, "said meanwhile");
      const [renewed] = await Promise.all([world.rotate(rotated), world.rotate(impostor)]);
      for (const device of [deleted, ghost]) await world.delete(device);
      for (const device of [disabled, sleeper]) await world.disable(device);

      const heard = async () =>
        (await world.messages(room)).map(({ text }) => text).filter((text) => /^will/.test(text));
      await until("the will of the device that is good", async () => {
        return (await heard()).includes(`will of ${good.id}`);
      });
      await using again = await world.listen(good);
      await world.sends(again, good, room, "and what came after it");
      assertEquals(await heard(), [`will of ${good.id}`]);
      const { token } = world.owner;
      for (const { id } of [impostor, sleeper]) {
        const { body } = await world.api.request("GET", `/v1/devices/${id}/status`, { token });
        assertEquals([body.online, body.since, body.lastSeen], [false, null, null]);
      }
      await using back = await world.connect(renewed!, { clean: false });
      assert(back.connack?.sessionPresent, "the session goes on");
      await until("what was said comes", () => {
        return back.messages.some(({ payload }) => payload.includes("said meanwhile"));
      });
    },
  );
}
