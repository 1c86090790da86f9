import { assert, assertEquals } from "@std/assert";
import { sendCommand } from "../lib/chat/commands.ts";
import { setDesired } from "../lib/chat/device_states.ts";
import { changeRoom } from "../lib/chat/rooms.ts";
import { leaveRoom, removeMember, setMember } from "../lib/chat/members.ts";
import { deleteMessage, editMessage } from "../lib/chat/messages.ts";
import { DEVICE_HEARS, DEVICE_SAYS } from "../lib/device_schemas.ts";
import { newId } from "../lib/ids.ts";
import { readMessage } from "../mqtt-bridge/payload.ts";
import { DOWN, Topics, UP } from "../mqtt-bridge/topics.ts";
import { mqttPart } from "../routes/asyncapi_mqtt.ts";
import { JsonSchemas } from "../routes/json_schemas.ts";
import { documentedAs } from "./documented_payloads.ts";
import { newPrincipal } from "./chat.ts";
import { brokerKinds } from "./mqtt_broker.ts";
import { MqttScene, topics } from "./mqtt_scene.ts";
import { until } from "./until.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const schemas = new JsonSchemas("draft-7");
const part = mqttPart("confab/", schemas);
const document = { ...part, components: { schemas: schemas.schemas, securitySchemes: {} } };

/** `events` of `rooms/+/events`: the name that a topic goes by. */
const nameOf = (pattern: string) => pattern.replace("/#", "").split("/").at(-1)!;
/** The patterns for which the bridge can build a topic; the others are reserved. */
const worked = (patterns: readonly string[]) =>
  patterns.filter((pattern) => nameOf(pattern) in Topics.prototype);
/** The channels of a direction, as patterns. */
const documented = (action: "send" | "receive") =>
  Object.entries(part.operations).filter(([, operation]) => operation.action === action)
    .map(([, { channel }]) => part.channels[channel.$ref.replace("#/channels/", "")]!.address)
    .map((address) => address.replace("confab/d/{device}/", "").replace("{room}", "+"));

Deno.test("the document has every topic that the bridge works with, and none else", strict, () => {
  const withoutRest = (pattern: string) => pattern.replace("/#", "");
  assertEquals(documented("receive").sort(), worked(UP).sort());
  assertEquals(documented("send").sort(), worked(DOWN).map(withoutRest).sort());
  assertEquals(Object.keys(DEVICE_SAYS).sort(), worked(UP).map(nameOf).sort());
  assertEquals(Object.keys(DEVICE_HEARS).sort(), worked(DOWN).map(nameOf).sort());
  const [device, room] = [newId(), newId()];
  for (const { address, messages } of Object.values(part.channels)) {
    const topic = address.replace("{device}", device).replace("{room}", room);
    const up = topics.parse(topic) !== undefined;
    assertEquals([up, topics.mayReceive(device, topic)], [up, !up], topic);
    assert(Object.keys(messages).length > 0, `${address} has no messages`);
  }
});

Deno.test("a send is documented as the envelope exactly when it is read as one", strict, () => {
  const isEnvelope = (payload: object) => {
    const text = JSON.stringify(payload);
    return readMessage(new TextEncoder().encode(text), {}).body.text !== text;
  };
  const { properties, ...rest } = schemas.schemas.DeviceEnvelope!;
  const attachments = [{ url: "https://a.example" }];
  const fields = { text: "a", data: [1], clientId: "c", replyTo: 3, metadata: {}, attachments };
  assertEquals(Object.keys(properties as object).sort(), Object.keys(fields).sort());
  assert(isEnvelope(fields) && !isEnvelope({ ...fields, more: 1 }));
  assertEquals(rest.additionalProperties, false);
  const enough = Object.entries(fields).filter(([key, value]) => isEnvelope({ [key]: value }));
  const anyOf = rest.anyOf as { required: string[] }[];
  assertEquals(anyOf.map(({ required }) => required), enough.map(([key]) => [key]));
});

Deno.test("every message that a device hears is as the document says", strict, async () => {
  await using scene = await MqttScene.start((await brokerKinds())[0]!);
  const { room, owner, chat: { chat } } = scene;
  await scene.bridge();
  const [principal, another] = [await scene.device(false), await scene.device(false)];
  const { id } = principal;
  await using device = await scene.connect(principal);
  await scene.join(principal);
  const send = topics.send(id, room);
  const mine = `${topics.responses(id)}/mine`;
  await device.subscribe(mine);
  await device.publish(topics.status(id), '{"online":true}', { retain: true });
  await device.publish(send, '{"text":"21.5","clientId":"k1"}', {
    properties: { responseTopic: mine },
  });
  const [{ seq }] = await device.waitFor(topics.receipts(id));
  await device.waitFor(mine);
  await editMessage(chat, owner, room, await scene.say("hello"), { text: "hello, world" });
  await deleteMessage(chat, owner, room, seq);
  await scene.join(another);
  await setMember(chat, owner, room, another.id, "reader");
  await removeMember(chat, owner, room, another.id);
  const person = await newPrincipal(chat.db);
  await setMember(chat, owner, room, person.id, "member");
  await leaveRoom(chat, person, room);
  await changeRoom(chat, owner, room, { name: "Another" });
  await device.subscribe(topics.desired(id, room));
  await setDesired(chat, owner, { room, device: id }, { desired: { level: 3 } }, { merge: false });
  await device.waitFor(topics.desired(id, room));
  await device.subscribe(topics.commands(id));
  const asked = { clientId: "c1", name: "start", args: { speed: 3 }, timeoutSeconds: 60 };
  await sendCommand(chat, owner, room, id, asked);
  const [{ commandId }] = await device.waitFor(topics.commands(id));
  await device.publish(topics.replies(id), JSON.stringify({ commandId, text: "running" }));
  await device.waitFor(topics.receipts(id), 2);
  const ask = (request: unknown) => device.publish(topics.requests(id), JSON.stringify(request));
  await ask({ requestId: "1", type: "log", room, after: 0, limit: 200 });
  await ask({ requestId: "2", type: "log", room: newId(), after: 0 });
  await device.waitFor(topics.responses(id), 2);
  await device.publish(send, '{"text":"x","replyTo":99}');
  await ask({ type: "log" });
  await device.publish(topics.events(id, room), "forged").catch(() => {});
  await device.waitFor(topics.errors(id), 3);
  await device.waitFor(topics.head(id, room));
  await removeMember(chat, owner, room, id);
  for (const topic of [topics.head(id, room), topics.desired(id, room)]) {
    await until(
      `${topic} is cleared`,
      () => device.received.some((one) => one.topic === topic && one.payload === ""),
    );
  }
  const types = new Set(device.json(topics.events(id, room)).map(({ event }) => event.type));
  assertEquals(types.size, 10, [...types].join());

  const seen = new Set<string>();
  for (const { topic, payload } of device.received) {
    const name = topic.startsWith(topics.responses(id)) ? "responses" : nameOf(topic);
    const channel = `device${name[0]!.toUpperCase()}${name.slice(1)}`;
    const names = documentedAs(document, channel)(payload === "" ? "" : JSON.parse(payload));
    assert(names.length > 0, `${topic} ${payload}`);
    for (const one of names) seen.add(`${channel}/${one}`);
  }
  const all = Object.values(part.operations).filter(({ action }) => action === "send")
    .flatMap(({ messages }) => messages.map(({ $ref }) => $ref))
    .map((reference) => reference.replace("#/channels/", "").replace("/messages", ""));
  assertEquals([...seen].sort(), all.sort(), "every documented message was heard");
});
