import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CLOSE, ERRORS } from "../lib/errors.ts";
import type { ServerFrame } from "../lib/protocol.ts";
import { FRAME_TYPES } from "../lib/schemas.ts";
import { testApp, type TestRequest } from "../testing/app.ts";
import type { AsyncApi } from "./asyncapi_document.ts";
import { OK_FRAMES } from "./server_frames.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

// A frame that the wire contract gains is missing here, and then in the document.
const SERVER_TYPES: Record<ServerFrame["type"], true> = {
  ready: true,
  ok: true,
  error: true,
  event: true,
  signal: true,
  pong: true,
  heads: true,
  evicted: true,
  expiring: true,
};

async function documentOf(
  env: Record<string, string> = {},
  changes: Parameters<typeof testApp>[1] = {},
  request: TestRequest = {},
): Promise<AsyncApi> {
  await using app = await testApp(env, changes);
  const { status, headers, body } = await app.request("GET", "/asyncapi.json", request);
  assertEquals([status, headers.get("content-type")], [200, "application/json"]);
  return body;
}

/** What a reference leads to. */
function at(document: AsyncApi, reference: string): unknown {
  const steps = reference.split("/").slice(1);
  return steps.reduce<unknown>(
    (value, step) => (value as Record<string, unknown>)?.[step],
    document,
  );
}

/** Every `$ref` in a JSON value. */
function references(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "$ref" && typeof inner === "string" ? [inner] : references(inner)
  );
}

Deno.test("the document is AsyncAPI 3.0 whose references lead somewhere", strict, async () => {
  const document = await documentOf();
  assertEquals(document.asyncapi, "3.0.0");
  for (const field of ["title", "version"] as const) assert(document.info[field] !== "", field);
  for (const reference of new Set(references(document))) {
    assertMatch(reference, /^#\//);
    assertEquals(typeof at(document, reference), "object", reference);
  }
  const { schemas, securitySchemes } = document.components;
  const names = [schemas, securitySchemes, document.channels, document.operations, document.servers]
    .flatMap((one) => Object.keys(one));
  for (const name of names) assertMatch(name, /^[A-Za-z0-9._-]+$/);
  for (const { host, protocol, security } of Object.values(document.servers)) {
    assert(host !== "" && protocol !== "" && security.length > 0);
  }
  for (const scheme of Object.values(securitySchemes)) assert(scheme.type !== undefined);
});

Deno.test("channels name their parameters, and messages have payloads", strict, async () => {
  const { channels } = await documentOf();
  for (const [name, channel] of Object.entries(channels)) {
    const needed = [...channel.address.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter!);
    assertEquals(Object.keys(channel.parameters ?? {}).sort(), needed.sort(), name);
    for (const { $ref } of channel.servers) assertMatch($ref, /^#\/servers\/\w+$/);
    for (const [key, message] of Object.entries(channel.messages)) {
      assertEquals(message.name, key);
      assertMatch(String(message.summary ?? ""), /^[A-Z].* /, `${name} ${key}`);
      assert(Object.keys(message.payload).length > 0, `${name} ${key}`);
    }
  }
});

Deno.test("operations use every message of their channels, by reference", strict, async () => {
  const { channels, operations } = await documentOf();
  const used = new Set<string>();
  for (const [name, operation] of Object.entries(operations)) {
    assert(operation.action === "send" || operation.action === "receive", name);
    for (const { channel, messages } of [operation, ...operation.reply ? [operation.reply] : []]) {
      assert(messages.length > 0, name);
      for (const { $ref } of messages) {
        assert($ref.startsWith(`${channel.$ref}/messages/`), `${name} takes ${$ref}`);
        used.add($ref);
      }
    }
  }
  const all = Object.entries(channels).flatMap(([channel, { messages }]) =>
    Object.keys(messages).map((message) => `#/channels/${channel}/messages/${message}`)
  );
  assertEquals([...used].sort(), all.sort());
});

Deno.test("the socket has every frame of both sides, and none else", strict, async () => {
  const document = await documentOf();
  const { address, messages } = document.channels.socket!;
  assertEquals(address, "/v1/socket");
  const typesOf = (names: string[]) =>
    names.map((name) => {
      const schema = at(document, String(messages[name]!.payload.$ref));
      return (schema as { properties: { type: { const: string } } }).properties.type.const;
    });
  const { batch, ...single } = messages;
  const asked = Object.values(document.operations)
    .filter(({ action, channel }) => action === "receive" && channel.$ref === "#/channels/socket")
    .map(({ messages: [message] }) => message!.$ref.split("/").at(-1)!);
  assertEquals(typesOf(asked).sort(), [...FRAME_TYPES].sort());
  const said = Object.keys(single).filter((name) => !asked.includes(name));
  assertEquals([...new Set(typesOf(said))].sort(), Object.keys(SERVER_TYPES).sort());
  const answers = typesOf(said).filter((type) => type === "ok");
  assertEquals(answers.length, Object.keys(OK_FRAMES).length);
  const { anyOf } = batch!.payload.items as { anyOf: unknown[] };
  assertEquals(anyOf, said.map((name) => messages[name]!.payload));
});

Deno.test("error codes and close codes are those of the tables", strict, async () => {
  const document = await documentOf();
  assertEquals(document["x-error-codes"], JSON.parse(JSON.stringify(ERRORS)));
  assertEquals(document.components.schemas.ErrorCode!.enum, Object.keys(ERRORS));
  const shown = document.channels.socket!["x-close-codes"]!;
  assertEquals(
    shown.map(({ name, code, reason }) => ({ name, code, reason })),
    Object.entries(CLOSE).map(([name, { code, reason }]) => ({ name, code, reason })),
  );
  assertEquals(shown.filter(({ code }) => code >= 4500).some(({ comeBack }) => comeBack), false);
});

Deno.test("servers and topics are those of the configuration", strict, async () => {
  const document = await documentOf({
    PUBLIC_URL: "https://example.org/chat",
    MQTT_PREFIX: "a/b/",
  });
  const { websocket, http, mqtt } = document.servers;
  assertEquals([websocket.protocol, websocket.host, websocket.pathname], [
    "wss",
    "example.org",
    "/chat",
  ]);
  assertEquals([http.protocol, http.host, http.pathname], ["https", "example.org", "/chat"]);
  assertEquals([mqtt.protocol, mqtt.host], ["secure-mqtt", "mqtt.example.org:8883"]);
  assertEquals(document.channels.deviceSend!.address, "a/b/d/{device}/rooms/{room}/send");
});

Deno.test("without a public URL and a broker the document says so", strict, async () => {
  const { servers } = await documentOf({}, { mqttEndpoint: () => undefined });
  assertEquals([servers.websocket.protocol, servers.websocket.host], ["ws", "localhost"]);
  assertEquals([servers.mqtt.host, Object.keys(servers.mqtt.variables!)], ["{broker}", ["broker"]]);
});

Deno.test("/docs leads to the document", strict, async () => {
  await using app = await testApp();
  const { text } = await app.request("GET", "/docs");
  assertStringIncludes(text, 'href="/asyncapi.json"');
});
