import {
  DEVICE_HEARS,
  DEVICE_SAYS,
  deviceEnvelope,
  deviceLogPage,
  deviceReceipt,
  deviceRefusal,
} from "../lib/device_schemas.ts";
import { clientIdSchema, textSchema } from "../lib/schemas.ts";
import {
  type AsyncMessage,
  type AsyncOperation,
  type Channel,
  on,
  onServer,
  type Part,
} from "./asyncapi_document.ts";
import { deviceTopics } from "./device_topics.ts";
import type { JsonSchemas } from "./json_schemas.ts";

type Topic = keyof typeof DEVICE_SAYS | keyof typeof DEVICE_HEARS;

const ABOUT: Record<Topic, string> = {
  send: "A message of the device. Only the receipt proves that it is stored: repeat it with the " +
    "same key until that comes, or an error.",
  requests: "A question about the log of a room",
  status:
    "Birth and last will of the device: whether it is online. What is of an older session than " +
    "the newest is ignored. After a birth the heads are published again.",
  telemetry: "Readings. They never become messages by themselves: the latest values and a " +
    "bounded series of them are kept.",
  reported:
    "What the device is, as a whole, retained. The last one counts; an empty one says that " +
    "nothing is known any more.",
  desired: "What the device shall be, retained, and what of that is left to do. It is published " +
    "again after a birth, and when there is something else to do.",
  commands: "What the device shall do: at least once, with the same `commandId`",
  replies: "What became of a command: shown in the room as the answer to it, once",
  events: "The log of a room, in order, at least once, own messages too",
  head: "How far the events of a room have come: shows the device what it missed",
  receipts: "What is stored of what the device has sent",
  responses: "Answers to requests. A device that speaks MQTT 5 may name this topic, or one below " +
    "it, as the response topic of a send: its receipt comes there too.",
  errors: "What is refused of what the device has published",
};

/** What a publish may carry besides its payload, in MQTT 5. */
const REQUEST_BINDINGS = {
  mqtt: {
    responseTopic: {
      type: "string",
      description: "The device's `responses`, or a topic below it",
    },
    correlationData: { type: "string", description: "Comes back with the answer" },
    bindingVersion: "0.2.0",
  },
};

/** What comes with a command in MQTT 5. */
const COMMAND_BINDINGS = {
  mqtt: {
    responseTopic: { type: "string", description: "The device's `replies`" },
    correlationData: {
      type: "string",
      description:
        "The `commandId`. A reply with it needs none in its payload, which may then be " +
        "any object or text, too.",
    },
    bindingVersion: "0.2.0",
  },
};

/** The topics of one device below `prefix`. */
export function mqttPart(prefix: string, schemas: JsonSchemas): Part {
  const messages = messagesOf(schemas);
  const topics = Object.keys(ABOUT) as Topic[];
  const channel = (topic: Topic): Channel => {
    const address = addressOf(prefix, topic);
    return {
      address,
      title: topic,
      description: ABOUT[topic],
      servers: [onServer("mqtt")],
      parameters: {
        device: { description: "The id of the device" },
        ...(address.includes("{room}") ? { room: { description: "The id of the room" } } : {}),
      },
      messages: messages[topic],
    };
  };
  return {
    channels: Object.fromEntries(topics.map((topic) => [nameOf(topic), channel(topic)])),
    operations: Object.fromEntries(
      topics.map((topic) => [nameOf(topic), operationOf(topic, Object.keys(messages[topic]))]),
    ),
  };
}

const nameOf = (topic: Topic) => `device${topic[0]!.toUpperCase()}${topic.slice(1)}`;

function addressOf(prefix: string, topic: Topic): string {
  return deviceTopics(prefix, "{device}")[topic];
}

function messagesOf(schemas: JsonSchemas): Record<Topic, Record<string, AsyncMessage>> {
  const { requests, status, telemetry, reported, replies } = DEVICE_SAYS;
  const { events, head, desired, commands, errors } = DEVICE_HEARS;
  const key = schemas.of(clientIdSchema, "input");
  const keyed = {
    headers: { type: "object", properties: { "client-id": key }, description: "User properties" },
    bindings: REQUEST_BINDINGS,
  };
  const message = (name: string, summary: string, schema: Parameters<typeof schemas.of>[0]) => ({
    [name]: { name, summary, payload: schemas.of(schema, "input") },
  });
  const receipt = message("receipt", "It is stored", deviceReceipt);
  const plain = { contentType: "text/plain", ...keyed };
  const cleared = {
    name: "cleared",
    summary: "The device is in the room no more",
    contentType: "text/plain",
    payload: { type: "string", maxLength: 0 },
  };
  return {
    send: {
      envelope: {
        ...message("envelope", "With more than text", deviceEnvelope).envelope!,
        ...keyed,
      },
      text: { ...message("text", "Everything else is the text", textSchema).text!, ...plain },
    },
    requests: {
      request: {
        ...message("request", "Entries after a cursor", requests).request!,
        bindings: REQUEST_BINDINGS,
      },
    },
    status: message("status", "The device is there, or gone", status),
    events: message("event", "An entry of the room's log", events),
    head: {
      ...message("head", "The newest entry that was published", head),
      cleared,
    },
    telemetry: message("readings", "Readings of now, or with their times", telemetry),
    reported: {
      ...message("reported", "The whole state", reported),
      cleared: { ...cleared, summary: "The device says nothing any more" },
    },
    desired: { ...message("desired", "The whole state that is wished for", desired), cleared },
    commands: {
      command: {
        ...message("command", "The device shall do this", commands).command!,
        bindings: COMMAND_BINDINGS,
      },
    },
    replies: message("reply", "It was done, or not", replies),
    receipts: receipt,
    responses: {
      ...message("page", "Entries, oldest first", deviceLogPage),
      ...message("refusal", "The request is refused", deviceRefusal),
      ...receipt,
    },
    errors: message("error", "The publish is refused for good", errors),
  };
}

function operationOf(topic: Topic, messages: string[]): AsyncOperation {
  const retain = ["head", "status", "reported", "desired"].includes(topic);
  const operation: AsyncOperation = {
    action: topic in DEVICE_SAYS ? "receive" : "send",
    summary: ABOUT[topic],
    ...on(nameOf(topic), ...messages),
    bindings: { mqtt: { qos: 1, retain, bindingVersion: "0.2.0" } },
  };
  if (topic === "send") return { ...operation, reply: on(nameOf("receipts"), "receipt") };
  if (topic !== "requests") return operation;
  return { ...operation, reply: on(nameOf("responses"), "page", "refusal") };
}
