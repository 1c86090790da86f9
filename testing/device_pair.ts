import { assert } from "@std/assert";
import { type DeviceAccess, type DeviceWorld, topicIn } from "./device_world.ts";
import type { RawMqtt } from "./raw_mqtt.ts";
import { until } from "./until.ts";

/** Two devices in one room, both connected. */
export interface DevicePair {
  room: string;
  me: DeviceAccess;
  other: DeviceAccess;
  attacker: RawMqtt;
  victim: RawMqtt;
}

/** Runs a test with a pair and the attacker's send topic; the bridge must still be there at the end. */
export async function withPair(
  world: DeviceWorld,
  run: (pair: DevicePair, send: string) => Promise<void>,
): Promise<void> {
  const room = await world.room();
  const [me, other] = [await world.device(room), await world.device(room)];
  await using attacker = await world.listen(me);
  await using victim = await world.listen(other);
  await run({ room, me, other, attacker, victim }, topicIn(me.topics.send!, room));
  assert(world.bridgeConnected());
}

/** Waits for the receipt of a clientId. */
export async function receipt(device: RawMqtt, { topics }: DeviceAccess, clientId: string) {
  const find = () => device.json(topics.receipts!).find((one) => one.clientId === clientId);
  await until(`the receipt of ${clientId}`, () => find() !== undefined);
  return find();
}
