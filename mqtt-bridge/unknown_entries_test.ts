import { assertEquals } from "@std/assert";
import type { LogEntry } from "../lib/protocol.ts";
import { brokerKinds } from "../testing/mqtt_broker.ts";
import { MqttScene, topics } from "../testing/mqtt_scene.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

const [kind] = await brokerKinds();

testWith(kind!.service, "devices are told of entries that a newer node wrote", async () => {
  await using scene = await MqttScene.start(kind!);
  const { owner, room, chat: { db } } = scene;
  const device = await scene.device();
  await scene.bridge();
  // It is not held to the document: such entries are in none.
  await using client = await scene.connectOnce(device);
  await client.subscribe(topics.events(device.id, room));
  await db.query(
    `select append_entry($1, 'poll.opened', $2, null, $3, '{"question": "?"}')`,
    [room, owner.id, device.id],
  );
  await scene.say("after it");
  const entries = () => client.json(topics.events(device.id, room)) as LogEntry[];
  await until("the message has come", () => entries().at(-1)?.event.type === "message.created");
  const [unknown, message] = entries().slice(-2);
  const { at, ...event } = unknown!.event;
  assertEquals<unknown>([typeof at, event], ["string", {
    type: "poll.opened",
    actor: { id: owner.id, kind: "user", name: owner.name },
  }]);
  assertEquals(unknown!.seq + 1, message!.seq);
});
