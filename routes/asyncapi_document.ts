import type { JsonSchema } from "./json_schemas.ts";

/** The parts of an AsyncAPI 3.0 document that are written here. */
export interface AsyncApi extends Part {
  asyncapi: string;
  info: { title: string; version: string; description: string; license: { name: string } };
  defaultContentType: string;
  servers: Record<ServerName, Server>;
  components: {
    schemas: Record<string, JsonSchema>;
    securitySchemes: Record<string, Record<string, string>>;
  };
  "x-error-codes": Record<string, { title: string; status: number; retryAfter?: number }>;
}

/** Some channels with what is done on them. */
export interface Part {
  channels: Record<string, Channel>;
  operations: Record<string, AsyncOperation>;
}

/** What people and devices connect to. */
export type ServerName = "websocket" | "http" | "mqtt";

/** Where one of the protocols is spoken. */
export interface Server {
  host: string;
  pathname?: string;
  protocol: string;
  description: string;
  variables?: Record<string, { description: string }>;
  security: Reference[];
}

/** Leads to another place in the document. */
export interface Reference {
  $ref: string;
}

/** A way on which messages go. */
export interface Channel {
  address: string;
  title: string;
  description: string;
  servers: Reference[];
  parameters?: Record<string, { description: string }>;
  messages: Record<string, AsyncMessage>;
  bindings?: Record<string, unknown>;
  "x-close-codes"?: { name: string; code: number; reason: string; comeBack: boolean }[];
}

/** One kind of message. */
export interface AsyncMessage {
  name: string;
  summary: string;
  contentType?: string;
  headers?: JsonSchema;
  payload: JsonSchema;
  bindings?: Record<string, unknown>;
}

/** What Confab does on a channel, as seen by Confab. */
export interface AsyncOperation {
  action: "send" | "receive";
  channel: Reference;
  summary: string;
  messages: Reference[];
  reply?: { channel: Reference; messages: Reference[] };
  bindings?: Record<string, unknown>;
}

/** The reference to a server. */
export function onServer(name: ServerName): Reference {
  return { $ref: `#/servers/${name}` };
}

/** The reference to a channel, and those to messages of it. */
export function on(channel: string, ...messages: string[]) {
  return {
    channel: { $ref: `#/channels/${channel}` },
    messages: messages.map((name) => ({ $ref: `#/channels/${channel}/messages/${name}` })),
  };
}
