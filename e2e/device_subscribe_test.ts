/** A device listens where it may not: on both brokers, it hears its own feed and nothing else. */
import { assert, assertEquals } from "@std/assert";
import {
  type DeviceAccess,
  type DeviceWorld,
  deviceWorlds,
  prefixOf,
  topicIn,
} from "../testing/device_world.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

const MESSAGES = 20;

/** Filters that match what belongs to others, or to the broker. */
function greedy(me: DeviceAccess, other: DeviceAccess, room: string): string[] {
  const [mine, theirs] = [prefixOf(me), prefixOf(other)];
  const plain = [
    "#",
    "+/#",
    "/#",
    "confab/#",
    "confab/d/#",
    "confab/d/+/#",
    "confab/+/+/rooms/+/events",
    "confab/d/+/rooms/+/events",
    "confab/d/+/rooms/+/send",
    "confab/d/+/rooms/+/head",
    `confab/d/+/rooms/${room}/#`,
    "confab/d/+/receipts",
    "confab/d/+/requests",
    "confab/d/+/errors",
    "confab/d/+/status",
    "+/+/+/+/+/events",
    `${theirs}#`,
    `${theirs}rooms/+/events`,
    `${theirs}receipts`,
    `${theirs.toUpperCase()}#`,
    `${mine}../${other.id}/#`,
    topicIn(other.topics.events!, room),
    topicIn(other.topics.send!, room),
  ];
  const shared = ["#", "confab/#", `${theirs}rooms/+/events`, "confab/d/+/rooms/+/send"];
  return [
    ...plain,
    ...shared.map((filter) => `$share/x/${filter}`),
    `$share/${other.id}/${theirs}#`,
    ...["$SYS/#", "$SYS/broker/clients/+", "$CONTROL/#", "$CONTROL/dynamic-security/v1/#"],
    "$queue/confab/#",
    // Names that every JavaScript object has
    ...["__proto__", "constructor", "toString"],
  ];
}

async function eavesdrop(world: DeviceWorld, version: 4 | 5): Promise<void> {
  const [room, own] = [await world.room(), await world.room()];
  const [me, other] = [await world.device(own), await world.device(room)];
  await using victim = await world.listen(other);
  let spy = await world.listen(me, { version });
  const filters = greedy(me, other, room);
  const usable: string[] = [];
  for (const filter of filters) {
    if (await spy.subscribe(filter) !== "cut" && !spy.closed) usable.push(filter);
    else {
      await spy.drop();
      spy = await world.listen(me, { version });
    }
  }
  // A connection that was cut has lost what it had subscribed to before.
  for (const filter of usable) await spy.subscribe(filter);
  assert(!spy.closed && usable.length > filters.length / 2, `${usable.length} filters in one go`);

  for (let i = 0; i < MESSAGES; i++) {
    await world.sends(victim, other, room, `secret ${i}`);
    await world.say(room, `secret too ${i}`);
  }
  await victim.publish(other.topics.status!, '{"online":true}', { retain: true });
  const request = { requestId: "1", type: "log", room, after: 0 };
  await victim.publish(other.topics.requests!, JSON.stringify(request));
  await victim.publish(topicIn(other.topics.send!, room), "");
  // The bridge administers the broker, and answers come back from it.
  await world.device();

  const heard = (device: typeof spy, text: string) =>
    device.messages.some(({ payload }) => payload.includes(text));
  await until("the request is answered", () => victim.json(other.topics.responses!).length === 1);
  await until("all that the victim is told", () => heard(victim, `secret too ${MESSAGES - 1}`));
  const texts = victim.json(topicIn(other.topics.events!, room)).map(({ event }) =>
    event.message?.text
  );
  for (let i = 0; i < MESSAGES; i++) assert(texts.includes(`secret ${i}`), "nothing was diverted");

  await world.say(own, "for the spy's own room");
  await until("the own feed comes", () => heard(spy, "for the spy's own room"));
  await world.sends(spy, me, own, "last");
  const strange = spy.messages.filter(({ topic }) => !topic.startsWith(prefixOf(me)));
  assertEquals(strange, []);
  assertEquals(spy.messages.filter(({ payload }) => payload.includes("secret")), []);
  await spy.drop();
}

for (const kind of await deviceWorlds()) {
  for (const version of [5, 4] as const) {
    testWith(
      kind.service,
      `${kind.name}: a device hears nothing of others (MQTT ${version === 4 ? "3.1.1" : 5})`,
      async () => {
        await using world = await kind.start();
        await eavesdrop(world, version);
      },
    );
  }

  testWith(
    kind.service,
    `${kind.name}: what is asked for before the device is a member does not come after it left`,
    async () => {
      await using world = await kind.start();
      const room = await world.room();
      const [me, stays] = [await world.device(room), await world.device(room)];
      await using leaver = await world.listen(me);
      await using listener = await world.listen(stays);
      const exact = topicIn(me.topics.events!, room);
      await leaver.subscribe(exact);
      await world.say(room, "still here");
      await until("it hears", () => leaver.json(exact).length > 0);
      await world.remove(me, room);
      await world.say(room, "gone now");
      await until(
        "the other hears",
        () => listener.messages.some(({ payload }) => payload.includes("gone now")),
      );
      await leaver.publish(topicIn(me.topics.send!, room), "from outside");
      await until("it is refused", () => leaver.json(me.topics.errors!).length > 0);
      assertEquals(leaver.json(me.topics.errors!)[0].code, "not_found");
      assertEquals(leaver.messages.filter(({ payload }) => payload.includes("gone now")), []);
    },
  );
}
