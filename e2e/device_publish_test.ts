/** A device publishes where it may not: on both brokers, nothing comes of it, for anybody. */
import { assert, assertEquals } from "@std/assert";
import {
  type DeviceAccess,
  type DeviceWorld,
  deviceWorlds,
  prefixOf,
  topicIn,
} from "../testing/device_world.ts";
import type { RawAnswer, RawMqtt } from "../testing/raw_mqtt.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

const MARK = "forged";
const DYNSEC = "$CONTROL/dynamic-security/v1";

/** Topics that a device may not use, by what is wrong with them. */
function forbidden(me: DeviceAccess, other: DeviceAccess, room: string): Record<string, string> {
  const [mine, theirs] = [prefixOf(me), prefixOf(other)];
  const all = Object.entries(other.topics).map(([name, topic]) =>
    [`another's ${name}`, topicIn(topic, room)] as const
  );
  const down = ["events", "head", "desired", "receipts", "responses", "commands", "errors"];
  const own = down.map((name) => [`its own ${name}`, topicIn(me.topics[name]!, room)] as const);
  return {
    ...Object.fromEntries([...all, ...own]),
    "below its responses": `${mine}responses/x`,
    "the broker's control": DYNSEC,
    "the answers of the broker's control": `${DYNSEC}/response`,
    "the broker's statistics": "$SYS/broker/uptime",
    "a shared subscription's name": `$share/x/${theirs}rooms/${room}/send`,
    "no prefix": mine.slice("confab/".length) + `rooms/${room}/send`,
    "a slash before": `/${mine}rooms/${room}/send`,
    "a slash after": `${mine}rooms/${room}/send/`,
    "an empty room": `${mine}rooms//send`,
    "an empty device": `confab/d//rooms/${room}/send`,
    "empty levels": "////",
    "a level that is dots": `${mine}../${other.id}/rooms/${room}/send`,
    "dots for a room": `${mine}rooms/../send`,
    "its own prefix alone": mine,
    "its id in upper case": `${mine.replace(me.id, me.id.toUpperCase())}rooms/${room}/send`,
    "the room in upper case": `${mine}rooms/${room.toUpperCase()}/send`,
    "a room that is no id": `${mine}rooms/lobby/send`,
    "a room with a letter from another script": `${mine}rooms/${room}/ѕend`,
    "more below its send": `${mine}rooms/${room}/send/x`,
    "65,535 bytes": `${mine}rooms/`.padEnd(65_530, "x") + "/send",
    "65,535 bytes of another's": `${theirs}rooms/${room}/send/`.padEnd(65_535, "x"),
    "40 levels": `${mine}rooms${"/x".repeat(37)}`,
    "300 levels": `${mine}rooms${"/x".repeat(297)}`,
    "300 empty levels": "/".repeat(300),
    "a wildcard for the device": `confab/d/+/rooms/${room}/send`,
    "a wildcard for the room": `${mine}rooms/+/send`,
    "all": "#",
    "all of its own": `${mine}#`,
    "nothing": "",
    "NUL after its send": `${mine}rooms/${room}/send\0`,
    "NUL in its send": `${mine}rooms/${room}/se\0nd`,
    "NUL before another's": `${mine}\0/../${theirs}rooms/${room}/send`,
  };
}

/** What it publishes there: on the broker's control, a command that would be obeyed. */
function payloadOn(topic: string, what: string, other: DeviceAccess): string {
  if (!topic.startsWith(DYNSEC)) return JSON.stringify({ text: `${MARK}: ${what}` });
  return JSON.stringify({ commands: [{ command: "deleteClient", username: other.username }] });
}

/** True when the sender can know that it was refused, as the page for firmware says. */
function isRefused(answer: RawAnswer, attacker: RawMqtt, me: DeviceAccess, topic: string): boolean {
  if (answer === "cut" || answer >= 0x80) return true;
  return attacker.json(me.topics.errors!).some((error) =>
    error.code === "invalid_topic" && topic.startsWith(error.topic)
  );
}

async function attack(world: DeviceWorld, version: 4 | 5): Promise<void> {
  const room = await world.room();
  const [me, other, third] = [
    await world.device(room),
    await world.device(room),
    await world.device(room),
  ];
  await using victim = await world.listen(other);
  await using bystander = await world.listen(third, { version: 4 });
  let attacker = await world.listen(me, { version });
  const wrong: string[] = [];
  for (const [what, topic] of Object.entries(forbidden(me, other, room))) {
    for (const retain of [false, true]) {
      const answer = await attacker.publish(topic, payloadOn(topic, what, other), { retain });
      const silent = world.kind === "Mosquitto" && version === 4;
      if (!silent) {
        await until("the refusal", () => isRefused(answer, attacker, me, topic)).catch(() =>
          wrong.push(`${what}: ${answer}`)
        );
      }
      if (answer !== "cut" && !attacker.closed) continue;
      await attacker.drop();
      attacker = await world.listen(me, { version });
    }
  }
  assertEquals(wrong, [], "every one is answered, or ends the connection");

  await world.sends(attacker, me, room, "honest");
  await world.sends(victim, other, room, "I go on");
  await world.sends(bystander, third, room, "so do I");
  assertEquals((await world.messages(room)).map(({ text, sender }) => [sender.id, text]), [
    [me.id, "honest"],
    [other.id, "I go on"],
    [third.id, "so do I"],
  ]);
  for (const [access, device] of [[other, victim], [third, bystander]] as const) {
    await until("the last message", () => device.messages.some((m) => m.payload.includes("do I")));
    assertEquals(device.messages.filter(({ payload }) => payload.includes(MARK)), []);
    assert(device.messages.every(({ topic }) => topic.startsWith(prefixOf(access))));
  }
  // Nothing was kept for those who come later either.
  await using later = await world.listen(await world.device());
  assertEquals(later.messages, []);
  await using again = await world.listen(other, { clientId: other.clientId });
  await world.sends(again, other, room, "the last");
  assertEquals(again.messages.filter(({ payload }) => payload.includes(MARK)), []);
  await attacker.drop();
}

for (const kind of await deviceWorlds()) {
  for (const version of [5, 4] as const) {
    testWith(
      kind.service,
      `${kind.name}: nothing comes of publishing elsewhere (MQTT ${version === 4 ? "3.1.1" : 5})`,
      async () => {
        await using world = await kind.start();
        await attack(world, version);
        assert(world.bridgeConnected());
      },
    );
  }
}
