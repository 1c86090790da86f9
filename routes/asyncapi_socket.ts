import { CLOSE } from "../lib/errors.ts";
import { type ClientFrame, type ServerFrame, SUBPROTOCOL } from "../lib/protocol.ts";
import { CLIENT_FRAMES } from "../lib/schemas.ts";
import {
  type AsyncMessage,
  type AsyncOperation,
  on,
  onServer,
  type Part,
} from "./asyncapi_document.ts";
import type { Definition } from "./endpoint.ts";
import type { JsonSchema, JsonSchemas } from "./json_schemas.ts";
import { OK_FRAMES, SERVER_FRAMES } from "./server_frames.ts";

type Asked = keyof typeof OK_FRAMES;

const CHANNEL = "socket";

const ABOUT =
  "A client's frame is one object. The server's is one object, or an array of them in " +
  "order: clients accept both, everywhere. Every frame with an `id` gets exactly one `ok` or " +
  "`error` with that `id`. Clients ignore frames and fields that they do not know.";

const ASKING: Record<ClientFrame["type"], string> = {
  auth: "Renew access without reconnecting",
  join: "Join a room; with `after`, everything later is replayed first",
  leave: "Leave a room on this connection; the membership stays",
  send: "Send a message; repeated with the same `clientId` it is stored once",
  edit: "Replace the content of one's own message",
  delete: "Delete a message: its content goes, its seq stays",
  typing: "Tell the room that one is typing",
  read: "Raise one's read cursor",
  ping: "Ask for a pong",
};

const ANSWERING: Record<Asked, string> = {
  auth: "Access is renewed",
  join: "The room is joined; what it replays follows",
  leave: "The room is left",
  send: "The message is stored",
  edit: "The message is changed",
  delete: "The message is deleted",
  read: "Where the read cursor is now",
};

const SAYING: Record<Exclude<ServerFrame["type"], "ok">, string> = {
  ready: "The first frame: who one is, and within which limits",
  error: "A frame was refused, or the connection is about to end",
  event: "An entry of the log of a joined room",
  signal: "Somebody is typing, has read, comes or goes; never replayed",
  pong: "The answer to ping",
  heads: "How far changed rooms have come: join again from the cursor when something is missing",
  evicted: "The room is not followed any more",
  expiring: "Access ends soon: renew it with auth",
};

/** The WebSocket: every frame in both directions, and the close codes. */
export function socketPart(endpoint: Definition, schemas: JsonSchemas): Part {
  const said = serverMessages(schemas);
  const frames = Object.values(said).map(({ payload }) => payload);
  const batch: AsyncMessage = {
    name: "batch",
    summary: "Several frames of the server in order, as one",
    payload: { type: "array", minItems: 1, items: { anyOf: frames } },
  };
  const pushed = Object.keys(SAYING).filter((name) => name !== "pong");
  return {
    channels: {
      [CHANNEL]: {
        address: endpoint.path,
        title: endpoint.summary,
        description: ABOUT,
        servers: [onServer("websocket")],
        messages: { ...clientMessages(schemas), ...said, batch },
        bindings: { ws: bindingOf(endpoint, schemas) },
        "x-close-codes": Object.entries(CLOSE).map(([name, { code, reason }]) => ({
          name,
          code,
          reason,
          comeBack: code < 4500,
        })),
      },
    },
    operations: {
      ...Object.fromEntries(CLIENT_FRAMES.map(typeOf).map((type) => [idOf(type), asking(type)])),
      socketPush: {
        action: "send",
        summary: "What the server says without being asked, and errors of frames without an id",
        ...on(CHANNEL, ...pushed, "batch"),
      },
    },
  };
}

function typeOf(frame: (typeof CLIENT_FRAMES)[number]): ClientFrame["type"] {
  return [...frame.shape.type.values][0]!;
}

const capital = (word: string) => word[0]!.toUpperCase() + word.slice(1);
const idOf = (type: string) => `socket${capital(type)}`;
const okOf = (type: Asked) => `ok${capital(type)}`;

function clientMessages(schemas: JsonSchemas): Record<string, AsyncMessage> {
  return Object.fromEntries(CLIENT_FRAMES.map((frame) => {
    const type = typeOf(frame);
    const payload = schemas.named(`${capital(type)}Request`, frame, "input");
    return [type, { name: type, summary: ASKING[type], payload }];
  }));
}

function serverMessages(schemas: JsonSchemas): Record<string, AsyncMessage> {
  const { ok: _, ...others } = SERVER_FRAMES;
  const messages: Record<string, AsyncMessage> = {};
  for (const [name, schema] of Object.entries(others)) {
    const summary = SAYING[name as keyof typeof SAYING];
    const payload = schemas.named(`${capital(name)}Frame`, schema, "input");
    messages[name] = { name, summary, payload };
  }
  for (const [type, schema] of Object.entries(OK_FRAMES)) {
    const name = okOf(type as Asked);
    const payload = schemas.named(`${capital(name)}Frame`, schema, "input");
    messages[name] = { name, summary: ANSWERING[type as Asked], payload };
  }
  return messages;
}

function asking(type: ClientFrame["type"]): AsyncOperation {
  const operation: AsyncOperation = {
    action: "receive",
    summary: ASKING[type],
    ...on(CHANNEL, type),
  };
  if (type === "typing") return operation;
  const answers = type === "ping" ? ["pong"] : [okOf(type), "error"];
  return { ...operation, reply: on(CHANNEL, ...answers) };
}

function bindingOf({ query }: Definition, schemas: JsonSchemas): JsonSchema {
  return {
    method: "GET",
    query: schemas.of(query!, "input"),
    headers: {
      type: "object",
      properties: {
        authorization: {
          type: "string",
          description: "`Bearer` and an access token, instead of a ticket",
        },
        "sec-websocket-protocol": { type: "string", const: SUBPROTOCOL },
      },
    },
    bindingVersion: "0.1.0",
  };
}
