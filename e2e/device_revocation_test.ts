/**
 * A device loses its access while it publishes without a pause: two seconds after the answer to
 * the request that ended it, nothing of it is stored any more, and its connection is cut.
 */
import { assert, assertEquals } from "@std/assert";
import {
  type DeviceAccess,
  type DeviceWorld,
  deviceWorlds,
  topicIn,
} from "../testing/device_world.ts";
import { testWith } from "../testing/services.ts";
import { TirelessDevice } from "../testing/tireless_device.ts";
import { until } from "../testing/until.ts";

/** Milliseconds from the answer within which everything must have ended. */
const BOUND_MS = 2000;
/** For so long it goes on trying. */
const WATCHED_MS = 4000;

interface Scene {
  world: DeviceWorld;
  room: string;
  /** Where it stays a member. */
  kept: string;
  device: DeviceAccess;
  tireless: TirelessDevice;
}

/** Milliseconds from `since` until the last message of the device in a room. */
async function lastAfter(world: DeviceWorld, room: string, device: DeviceAccess, since: number) {
  const messages = await world.messages(room);
  const own = messages.filter(({ sender }) => sender.id === device.id);
  assert(own.length > 0, "it was heard before");
  return Date.parse(own.at(-1).at) - since;
}

/** Runs `end` while the device publishes to two rooms; resolves with the time of the answer. */
async function whilePublishing(
  world: DeviceWorld,
  end: (scene: Omit<Scene, "tireless" | "world">) => Promise<void>,
  then: (scene: Scene, answeredAt: number) => Promise<void>,
): Promise<void> {
  const [room, kept] = [await world.room(), await world.room()];
  const device = await world.device(room, kept);
  const [honest, neighbour] = [await world.device(room), await world.device(room)];
  await using talker = await world.listen(honest);
  await using listener = await world.listen(neighbour);
  const topics = [room, kept].map((id) => topicIn(device.topics.send!, id));
  await using tireless = new TirelessDevice(world, device, topics);
  await until("it is heard", async () => (await world.messages(room)).length >= 10);
  await end({ room, kept, device });
  const answeredAt = Date.now();
  const publishedBy = tireless.published;
  await until(
    "time enough to be heard has passed",
    () => Date.now() > answeredAt + WATCHED_MS,
    WATCHED_MS + 5000,
  );
  await then({ world, room, kept, device, tireless }, answeredAt);
  await world.sends(talker, honest, room, "the others go on");
  await until(
    "and are heard",
    () => listener.messages.some(({ payload }) => payload.includes("the others go on")),
  );
  assert(tireless.published >= publishedBy);
  assert(world.bridgeConnected());
}

for (const kind of await deviceWorlds()) {
  for (const how of ["delete", "disable"] as const) {
    testWith(
      kind.service,
      `${kind.name}: a ${how}d device is cut off and stores nothing two seconds later`,
      async () => {
        await using world = await kind.start();
        await whilePublishing(
          world,
          ({ device }) => world[how](device),
          async ({ room, kept, device, tireless }, answeredAt) => {
            for (const one of [room, kept]) {
              const ms = await lastAfter(world, one, device, answeredAt);
              assert(ms <= BOUND_MS, `the last message came ${ms} ms after the answer`);
            }
            assertEquals([tireless.admitted, tireless.ended], [1, 1]);
          },
        );
      },
    );
  }

  testWith(
    kind.service,
    `${kind.name}: the old secret of a device is cut off when it is replaced`,
    async () => {
      await using world = await kind.start();
      let renewed: DeviceAccess | undefined;
      await whilePublishing(
        world,
        async ({ device }) => {
          renewed = await world.rotate(device);
        },
        async ({ room, device, tireless }, answeredAt) => {
          const ms = await lastAfter(world, room, device, answeredAt);
          assert(ms <= BOUND_MS, `the last message came ${ms} ms after the answer`);
          assertEquals([tireless.admitted, tireless.ended], [1, 1]);
          await using again = await world.listen(renewed!);
          await world.sends(again, renewed!, room, "with the new secret");
        },
      );
    },
  );

  testWith(
    kind.service,
    `${kind.name}: a device that was removed from a room stores nothing there any more`,
    async () => {
      await using world = await kind.start();
      await whilePublishing(
        world,
        ({ room, device }) => world.remove(device, room),
        async ({ room, kept, device, tireless }, answeredAt) => {
          const ms = await lastAfter(world, room, device, answeredAt);
          assert(ms <= BOUND_MS, `the last message came ${ms} ms after the answer`);
          const elsewhere = await lastAfter(world, kept, device, answeredAt);
          assert(elsewhere > BOUND_MS, "it is still heard where it stayed");
          assertEquals([tireless.admitted, tireless.ended], [1, 0]);
        },
      );
    },
  );
}
