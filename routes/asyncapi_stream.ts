import { on, onServer, type Part } from "./asyncapi_document.ts";
import type { Definition } from "./endpoint.ts";
import type { JsonSchema, JsonSchemas } from "./json_schemas.ts";
import { STREAM_EVENTS } from "./stream_events.ts";

const CHANNEL = "stream";

const SAYING: Record<keyof typeof STREAM_EVENTS, string> = {
  ready: "The first event: where the room stands",
  reset: "The cursor leads nowhere any more: load the room again",
  message: "An entry of the room's log, with the id `epoch:seq`",
  signal: "Somebody is typing, or has read; never replayed",
  evicted: "The last event: one may not follow the room any more",
  closing: "The last event: why the server ends the stream",
};

/** The Server-Sent Events of a room; the payload is the event's data. */
export function streamPart(endpoint: Definition, schemas: JsonSchemas): Part {
  const names = Object.keys(STREAM_EVENTS) as (keyof typeof STREAM_EVENTS)[];
  return {
    channels: {
      [CHANNEL]: {
        address: endpoint.path,
        title: endpoint.summary,
        description: endpoint.description ?? "",
        servers: [onServer("http")],
        parameters: { room: { description: "The id of the room" } },
        messages: Object.fromEntries(names.map((name) => [name, {
          name,
          summary: SAYING[name],
          headers: fieldsOf(name),
          payload: schemas.of(STREAM_EVENTS[name], "input"),
        }])),
      },
    },
    operations: {
      [endpoint.name]: {
        action: "send",
        summary: endpoint.summary,
        ...on(CHANNEL, ...names),
        bindings: {
          http: {
            method: "GET",
            query: schemas.of(endpoint.query!, "output"),
            bindingVersion: "0.3.0",
          },
        },
      },
    },
  };
}

/** The other fields of an event (WHATWG HTML, section 9.2.6). */
function fieldsOf(name: keyof typeof STREAM_EVENTS): JsonSchema {
  const event = name === "message" ? {} : { event: { const: name } };
  const id = name === "message" || name === "reset"
    ? { id: { type: "string", pattern: "^[^:]+:[0-9]+$", description: "For `Last-Event-ID`" } }
    : {};
  const properties = { ...event, ...id };
  return { type: "object", properties, required: Object.keys(properties) };
}
