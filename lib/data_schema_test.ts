import { assert, assertEquals } from "@std/assert";
import { dataCheck } from "./data_schema.ts";
import { ConfabError } from "./errors.ts";
import type { Json, Metadata } from "./protocol.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

function refusal(schema: Metadata): string {
  try {
    dataCheck(schema);
  } catch (error) {
    assert(error instanceof ConfabError && error.code === "invalid_request");
    return error.errors!.map(({ path, message }) => `${path} ${message}`).join();
  }
  return "";
}

Deno.test("dataCheck() says what is wrong with some data", strict, () => {
  const check = dataCheck({
    type: "object",
    properties: { celsius: { type: "number", minimum: -50, maximum: 150 }, probe: { const: 2 } },
    required: ["celsius"],
    additionalProperties: false,
  });
  const right: Json[] = [{ celsius: 20 }, { celsius: -50, probe: 2 }];
  for (const data of right) assertEquals(check(data), undefined);
  const wrong: Json[] = [{}, 5, "a", [], { celsius: "20" }, { celsius: 151 }, { celsius: 1, x: 1 }];
  for (const data of wrong) assert(check(data) !== undefined, JSON.stringify(data));
  assertEquals(check({ celsius: 200 }), "data/celsius: 200 is greater than 150.");
  assert(check(JSON.parse('{"celsius": 1, "__proto__": 2}')) !== undefined);
});

Deno.test(
  "dataCheck() refuses what could cost more than its size, wherever it stands",
  strict,
  () => {
    assertEquals(refusal({ pattern: "(a+)+$" }), "schema.pattern is not supported");
    const nested = { properties: { a: { items: { anyOf: [true, { $ref: "#" }] } } } };
    assertEquals(refusal(nested), "schema.properties.a.items.anyOf.$ref is not supported");
    for (const word of ["patternProperties", "format", "uniqueItems", "$dynamicRef", "$id"]) {
      assertEquals(
        refusal({ not: { if: { [word]: {} } } }),
        `schema.not.if.${word} is not supported`,
      );
    }
    assertEquals(refusal({ type: "nonsense" }), "schema.type must name types of JSON");
    assertEquals(refusal({ properties: 5 }), "schema.properties must be an object of schemas");
    assertEquals(refusal({ properties: { a: 5 } }), "schema.properties.a must be a schema");
  },
);

Deno.test("dataCheck() takes names and values that look like words of a schema", strict, () => {
  const check = dataCheck({
    properties: { pattern: { type: "string" }, $ref: { enum: [{ pattern: 1 }] } },
    dependentRequired: { pattern: ["$ref"] },
  });
  assertEquals(check({ pattern: "a", $ref: { pattern: 1 } }), undefined);
  assert(check({ pattern: "a" }) !== undefined);
});
