/** Who a device says it is: on both brokers, nobody gets at another's name or session. */
import { assert, assertEquals } from "@std/assert";
import { type DeviceAccess, type DeviceWorld, deviceWorlds } from "../testing/device_world.ts";
import { RawMqtt, type RawMqttOptions } from "../testing/raw_mqtt.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

/** Ways to claim another's name, or the bridge's, with the credentials of `me` alone. */
function claims(me: DeviceAccess, other: DeviceAccess): Record<string, Partial<RawMqttOptions>> {
  const upper = (text: string) => text.toUpperCase();
  return {
    "another's client id": { clientId: other.clientId },
    "another's client id and a suffix": { clientId: `${other.clientId}-x` },
    "another's client id in upper case": { clientId: upper(other.clientId) },
    "another's client id with a space": { clientId: `${other.clientId} ` },
    "another's client id and NUL": { clientId: `${other.clientId}\0` },
    "its own client id and another's": { clientId: `${me.clientId}/${other.clientId}` },
    "its own client id in upper case": { clientId: upper(me.clientId) },
    "its own client id and a letter": { clientId: `${me.clientId}x` },
    "no client id": { clientId: "" },
    "a wildcard as client id": { clientId: "+" },
    "the bridge's client id": { clientId: "confab-bridge-0" },
    "another's username": { username: other.username },
    "another's username and client id": { username: other.username, clientId: other.clientId },
    "another's username of a later secret": { username: `${other.id}.2`, clientId: other.clientId },
    "its own username of a later secret": { username: `${me.id}.2` },
    "its own username of no secret": { username: `${me.id}.0` },
    "two ids as username": { username: `${me.id}.${other.id}`, clientId: other.clientId },
    "its own username in upper case": { username: upper(me.username) },
    "the bridge's username": { username: "confab-bridge", clientId: "confab-bridge-0" },
    "the embedded bridge's username": { username: "bridge", clientId: "confab-bridge-0" },
    "a wildcard as username": { username: "+" },
    "no username": { username: "" },
    "a wrong password": { password: `${me.password}x` },
    "an empty password": { password: "" },
    "a password of 60,000 bytes": { password: "x".repeat(60_000) },
    "another's password": { password: other.password },
  };
}

async function claimAll(world: DeviceWorld, me: DeviceAccess, other: DeviceAccess) {
  const admitted: string[] = [];
  for (const [what, claim] of Object.entries(claims(me, other))) {
    for (const version of [4, 5] as const) {
      const will = { topic: other.topics.status!, payload: '{"online":false}', qos: 1 as const };
      await using attempt = await world.open(me, { version, will, ...claim });
      if (attempt.admitted) admitted.push(`${what} (MQTT ${version})`);
    }
  }
  for (const version of [4, 5] as const) {
    const { port } = world;
    await using nobody = await RawMqtt.open({ port, version, clientId: other.clientId });
    if (nobody.admitted) admitted.push(`no credentials at all (MQTT ${version})`);
  }
  assertEquals(admitted, []);
}

for (const kind of await deviceWorlds()) {
  testWith(
    kind.service,
    `${kind.name}: nobody takes over, cuts off or becomes another device`,
    async () => {
      await using world = await kind.start();
      const room = await world.room();
      const [me, other] = [await world.device(room), await world.device(room)];
      await using victim = await world.listen(other);
      await claimAll(world, me, other);
      assertEquals(await victim.ping(), 0);
      await world.say(room, "are you there?");
      await until(
        "the victim hears",
        () => victim.messages.some(({ payload }) => payload.includes("are you there?")),
      );
      await world.sends(victim, other, room, "yes");
      await using honest = await world.listen(me);
      await world.sends(honest, me, room, "and so am I");
      assert(!victim.closed);
      assert(world.bridgeConnected(), "the bridge was not cut off");
    },
  );

  testWith(
    kind.service,
    `${kind.name}: a session that waits for its device is neither read nor ended by another`,
    async () => {
      await using world = await kind.start();
      const room = await world.room();
      const [me, other] = [await world.device(room), await world.device(room)];
      {
        await using _away = await world.listen(other, { clean: false });
      }
      await world.say(room, "while you are away");
      // Read by somebody: so it has been published to the one that is away as well.
      await using reader = await world.listen(me, { clean: false });
      await world.say(room, "one more");
      await until(
        "the broker has it",
        () => reader.messages.some(({ payload }) => payload.includes("one more")),
      );
      await claimAll(world, me, other);
      await using back = await world.connect(other, { clean: false });
      await until(
        "it comes to its device",
        () => back.messages.some(({ payload }) => payload.includes("while you are away")),
      );
      assert(back.connack?.sessionPresent);
    },
  );
}
