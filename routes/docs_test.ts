import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ERRORS } from "../lib/errors.ts";
import { testApp } from "../testing/app.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** Every `$ref` in a JSON value. */
function references(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "$ref" && typeof inner === "string" ? [inner] : references(inner)
  );
}

Deno.test("the document is OpenAPI 3.1 whose references lead somewhere", strict, async () => {
  await using app = await testApp({ PUBLIC_URL: "https://chat.example.org" });
  const { body: document } = await app.request("GET", "/openapi.json");
  assertMatch(document.openapi, /^3\.1\./);
  assertEquals(document.servers, [{ url: "https://chat.example.org" }]);
  const { schemas } = document.components;
  for (const name of ["Message", "LogEntry", "Room", "JoinedRoom", "Member", "Problem"]) {
    assertEquals(schemas[name].type, "object", name);
  }
  for (const reference of new Set(references(document))) {
    assert(schemas[reference.replace("#/components/schemas/", "")] !== undefined, reference);
  }
  const send = document.paths["/v1/rooms/{room}/messages"].post;
  assertEquals(send.security, [{ bearer: [] }]);
  assertEquals(send.parameters.map(({ name }: { name: string }) => name), ["room"]);
  const body = send.requestBody.content["application/json"];
  assertEquals(body.schema.required, ["clientId"]);
  assertEquals(body.schema.additionalProperties, false);
  assertEquals(Object.keys(send.responses).sort(), [
    ...["200", "201", "400", "401", "403", "404", "408", "409", "413", "415", "429", "500", "503"],
  ]);
  const conflict = send.responses["409"].content["application/problem+json"].schema;
  assertEquals(conflict.allOf[1].properties.code.enum, ["client_id_reused"]);
  const limit = document.paths["/v1/rooms/{room}/messages"].get.parameters.at(-1);
  assertEquals([limit.required, limit.schema.type, limit.schema.default], [false, "integer", 50]);
});

Deno.test("operation ids are unique and examples fit their schemas", strict, async () => {
  await using app = await testApp();
  const names = app.endpoints.map(({ name }) => name);
  assertEquals(names.length, new Set(names).size);
  for (const { name, example, body } of app.endpoints) {
    if (example === undefined) continue;
    assert(body?.safeParse(example).success, `The example of ${name} does not fit`);
  }
});

Deno.test("/docs is a page without scripts whose links lead somewhere", strict, async () => {
  await using app = await testApp();
  const { status, headers, text } = await app.request("GET", "/docs");
  assertEquals([status, headers.get("content-type")], [200, "text/html; charset=utf-8"]);
  const policy = headers.get("content-security-policy")!;
  assertMatch(policy, /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}';/);
  const style = text.match(/<style>(.*?)<\/style>/s)![1]!;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style));
  assertStringIncludes(policy, btoa(String.fromCharCode(...new Uint8Array(digest))));
  assert(!/<script|\bon\w+=|javascript:|style=/.test(text));
  assert(!text.includes("[object") && !text.includes("undefined"));
  const ids = [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!);
  assertEquals(ids.length, new Set(ids).size, "Ids are unique");
  for (const [, target] of text.matchAll(/href="#([^"]+)"/g)) {
    assert(ids.includes(target!), `#${target} leads nowhere`);
  }
  for (const code of Object.keys(ERRORS)) assert(ids.includes(`error-${code}`), code);
  for (const { name } of app.endpoints) assert(ids.includes(name), name);
});
