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

Deno.test("dataCheck() reads a schema in no time, however it names itself", strict, () => {
  // Each `id` used to be followed twice: this many would never end.
  let schema: Metadata = { title: "inmost" };
  for (let i = 30; i > 0; i--) schema = { id: `a${i}/`, not: schema };
  assertEquals(refusal(schema), "");
  assertEquals(refusal({ examples: schema, dependentRequired: { id: ["a"] } }), "");
});

Deno.test("what a schema may cost for one message is limited", strict, () => {
  const many = Array(16_000).fill(0);
  const tooMuch = "data: holds too much for its schema";
  for (
    const items of [
      { allOf: Array(1300).fill(false) },
      { enum: Array.from({ length: 2000 }, (_, i) => i + 10) },
      { allOf: [{ contains: false }, { anyOf: Array(1300).fill(true) }] },
    ]
  ) {
    assertEquals(dataCheck({ items })(many), tooMuch);
    assertEquals(dataCheck({ contains: items })(many), tooMuch);
  }
  const lengths = { allOf: Array(500).fill({ minLength: 1 }) };
  assertEquals(dataCheck(lengths)("a".repeat(32_000)), tooMuch);
  const named = Object.fromEntries(many.slice(0, 4000).map((_, i) => [`n${i}`, i]));
  assertEquals(dataCheck({ allOf: Array(1300).fill({ minProperties: 1 }) })(named), tooMuch);

  // What devices send is far from the limit.
  assertEquals(dataCheck({ items: { type: "number", minimum: 0 } })(many), undefined);
  const reading = {
    type: "object",
    properties: { at: { type: "integer" }, celsius: { type: "number", maximum: 150 } },
    required: ["at", "celsius"],
    additionalProperties: false,
  };
  const readings = Array(1000).fill({ at: 1, celsius: 20 });
  assertEquals(dataCheck({ type: "array", items: reading })(readings), undefined);
});

Deno.test("dataCheck() refuses words with values that could not be applied", strict, () => {
  assertEquals(refusal({ required: 5 }), "schema.required must be a list of names");
  assertEquals(refusal({ allOf: { not: {} } }), "schema.allOf must be a list of schemas");
  assertEquals(refusal({ anyOf: ["x"] }), "schema.anyOf must be a schema");
  assertEquals(refusal({ items: [true] }), "schema.items must be a schema");
  assertEquals(refusal({ minimum: "1" }), "schema.minimum must be a number");
  assertEquals(refusal({ enum: 1 }), "schema.enum must be a list");
  assertEquals(
    refusal({ dependentRequired: { a: "b" } }),
    "schema.dependentRequired must be an object of lists of names",
  );
});

Deno.test("dataCheck() finds no properties that are only inherited", strict, () => {
  const check = dataCheck({
    properties: { constructor: { type: "string" } },
    required: ["toString"],
  });
  assertEquals(check({ toString: 1 }), undefined);
  assert(check({}) !== undefined);
  assert(check({ constructor: 1, toString: 1 }) !== undefined);
});
