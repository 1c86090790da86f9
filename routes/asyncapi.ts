import project from "../deno.json" with { type: "json" };
import { ERRORS } from "../lib/errors.ts";
import type { AsyncApi, Reference, Server } from "./asyncapi_document.ts";
import { mqttPart } from "./asyncapi_mqtt.ts";
import { socketPart } from "./asyncapi_socket.ts";
import { streamPart } from "./asyncapi_stream.ts";
import type { Definition } from "./endpoint.ts";
import { JsonSchemas } from "./json_schemas.ts";
import type { MqttEndpoint } from "./mqtt_endpoint.ts";

/** Where clients reach what the document describes. */
export interface Places {
  /** Of the web role, such as `https://chat.example.org`. */
  url: string;
  /** Undefined while no broker is known. */
  mqtt: MqttEndpoint | undefined;
}

const ABOUT = "What Confab says and understands on its WebSocket, on the event streams of rooms " +
  "and over MQTT. Every room is one durable, ordered log: `(room, seq)` names an entry on every " +
  "protocol, and whoever was away goes on after the last seq they have. `x-error-codes` and " +
  "`x-close-codes` hold the tables of both. The HTTP endpoints are in `/openapi.json`.";

const SCHEMES = {
  bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
  ticket: {
    type: "httpApiKey",
    name: "ticket",
    in: "query",
    description: "For browsers: single use, from POST /v1/auth/ticket",
  },
  device: {
    type: "userPassword",
    description: "The username is the device's id, or what a rotation has said; " +
      "POST /v1/devices shows the password once",
  },
};

/**
 * The AsyncAPI 3.0 document of the WebSocket, the event streams and the MQTT topics below `prefix`,
 * made from the schemas that validate them.
 */
export function asyncApiOf(
  endpoints: readonly Definition[],
  prefix: string,
  places: Places,
): AsyncApi {
  const schemas = new JsonSchemas("draft-7");
  const parts = [
    socketPart(endpointOf(endpoints, "openSocket"), schemas),
    streamPart(endpointOf(endpoints, "streamRoom"), schemas),
    mqttPart(prefix, schemas),
  ];
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Confab",
      version: project.version,
      description: ABOUT,
      license: { name: project.license },
    },
    defaultContentType: "application/json",
    servers: serversOf(places),
    channels: Object.assign({}, ...parts.map(({ channels }) => channels)),
    operations: Object.assign({}, ...parts.map(({ operations }) => operations)),
    components: { schemas: schemas.schemas, securitySchemes: SCHEMES },
    "x-error-codes": { ...ERRORS },
  };
}

/** The servers of the document; where nobody can say where the broker is, its host is a variable. */
export function serversOf({ url, mqtt }: Places): AsyncApi["servers"] {
  const { protocol, host, pathname } = new URL(url);
  const secure = protocol === "https:";
  const below = pathname === "/" ? {} : { pathname };
  const broker: Pick<Server, "host" | "variables"> = mqtt === undefined
    ? {
      host: "{broker}",
      variables: { broker: { description: "Not known here; POST /v1/devices may tell" } },
    }
    : { host: `${mqtt.host}:${mqtt.port}` };
  return {
    websocket: {
      host,
      ...below,
      protocol: secure ? "wss" : "ws",
      description: "The WebSocket",
      security: [by("bearer"), by("ticket")],
    },
    http: {
      host,
      ...below,
      protocol: secure ? "https" : "http",
      description: "The event streams",
      security: [by("bearer")],
    },
    mqtt: {
      ...broker,
      protocol: mqtt?.tls === true ? "secure-mqtt" : "mqtt",
      description: "The broker of devices: MQTT 3.1.1 and 5",
      security: [by("device")],
    },
  };
}

function by(scheme: keyof typeof SCHEMES): Reference {
  return { $ref: `#/components/securitySchemes/${scheme}` };
}

function endpointOf(endpoints: readonly Definition[], name: string): Definition {
  const endpoint = endpoints.find((one) => one.name === name);
  if (endpoint === undefined) throw new TypeError(`There is no endpoint "${name}"`);
  return endpoint;
}
