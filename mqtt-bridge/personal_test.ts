import { assert, assertEquals } from "@std/assert";
import type { Principal } from "../lib/auth/principal.ts";
import { setDataSchema } from "../lib/chat/data_schemas.ts";
import { createDevice, deleteDevice } from "../lib/chat/devices.ts";
import { leaveRoom, listMembers, setMember } from "../lib/chat/members.ts";
import type { ConfabError } from "../lib/errors.ts";
import { newPrincipal } from "../testing/chat.ts";
import { brokerKinds } from "../testing/mqtt_broker.ts";
import { MqttScene, topics } from "../testing/mqtt_scene.ts";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";

async function credentialsOf(scene: MqttScene, person: Principal): Promise<Principal> {
  const { device } = await createDevice(scene.chat.chat, person, "Terminal", "person");
  assertEquals(device.kind, "person");
  return { id: device.id, kind: "device", name: device.name, role: "device" };
}

for (const kind of await brokerKinds()) {
  testWith(kind.service, `a person speaks and hears over MQTT (${kind.name})`, async () => {
    await using scene = await MqttScene.start(kind);
    const { owner, room, chat: { chat, db } } = scene;
    await scene.say("before");
    const person = await newPrincipal(db);
    await setMember(chat, owner, room, person.id, "member");
    const bridge = await scene.bridge();
    const own = await credentialsOf(scene, person);
    bridge.revoked(own.id);
    await using client = await scene.connect(own);
    const events = topics.events(own.id, room);
    const texts = () =>
      client.json(events).flatMap(({ event }) => event.message?.text ?? []) as string[];
    await client.publish(topics.send(own.id, room), JSON.stringify({ text: "hi", clientId: "k" }));
    const [receipt] = await client.waitFor(topics.receipts(own.id));
    await scene.say("hello");
    await until("it hears both", () => texts().includes("hello"));
    const mine = client.json(events).find(({ seq }) => seq === receipt.seq)!;
    const { sender, clientId } = mine.event.message;
    assertEquals([sender.id, sender.kind, clientId], [person.id, "user", "k"]);
    assert(!texts().includes("before"), "the history is there for whoever asks for it");
    await client.publish(
      topics.requests(own.id),
      JSON.stringify({ requestId: "1", type: "log", room, after: 0 }),
    );
    const [page] = await client.waitFor(topics.responses(own.id));
    assertEquals(page.entries.length, page.head);
    for (const refused of [topics.telemetry(own.id, room), topics.reported(own.id, room)]) {
      await client.publish(refused, JSON.stringify({ level: 3 }));
    }
    await client.waitFor(topics.errors(own.id), 2);
    assertEquals(client.json(topics.errors(own.id)).map(({ code }) => code), [
      "forbidden",
      "forbidden",
    ]);

    // Stored before there was a schema, as the person: its repeat gets its receipt.
    const say = (clientId: string, data: number) =>
      client.publish(topics.send(own.id, room), JSON.stringify({ clientId, data }));
    await say("k2", 1);
    const [, stored] = await client.waitFor(topics.receipts(own.id), 2);
    await setDataSchema(chat, person, own.id, { type: "string" });
    bridge.revoked(own.id);
    await say("k2", 1);
    const repeat = (await client.waitFor(topics.receipts(own.id), 3)).at(-1)!;
    assertEquals([repeat.seq, repeat.duplicate], [stored!.seq, true]);

    // Only the person is in the room, and with the person the credentials are out of it.
    const add = setMember(chat, person, room, own.id, "member");
    assertEquals(await add.catch((error: ConfabError) => error.code), "not_found");
    await leaveRoom(chat, person, room);
    const last = () => client.json(events).at(-1)?.event;
    await until("it hears that it has left", () => last()?.type === "member.left");
    assertEquals((await listMembers(chat, owner, room, { limit: 10 })).items.length, 1);
    await scene.say("afterwards");
    await client.publish(topics.send(own.id, room), "once more");
    await client.waitFor(topics.errors(own.id), 3);
    assertEquals(client.json(topics.errors(own.id)).at(-1)!.code, "not_found");
    assert(!texts().includes("afterwards"));
    await deleteDevice(chat, person, own.id);
    bridge.revoked(own.id);
    await until("its connection ends", () => client.closed);
  });
}
