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
    for (const word of ["patternProperties", "format", "uniqueItems", "$dynamicRef"]) {
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

Deno.test("dataCheck() takes a schema as the tools of its draft write it", strict, () => {
  for (
    const [$schema, words] of [
      ["http://json-schema.org/draft-04/schema#", {
        id: "https://pump.example/4",
        properties: { a: { type: "number", minimum: 1, exclusiveMinimum: true } },
      }],
      ["http://json-schema.org/draft-07/schema#", {
        properties: { a: { items: [{ const: 2 }], additionalItems: false } },
        dependencies: { b: ["a"], c: { required: ["a"] } },
      }],
      ["https://json-schema.org/draft/2019-09/schema", {
        properties: { a: { items: [{ const: 2 }], additionalItems: false } },
        dependentRequired: { b: ["a"] },
        dependentSchemas: { c: { required: ["a"] } },
      }],
      ["https://json-schema.org/draft/2020-12/schema", {
        $id: "https://pump.example/2020",
        $comment: "made by a tool",
        properties: { a: { prefixItems: [{ const: 2 }], items: false }, x: false },
        propertyNames: { maxLength: 3 },
        dependentRequired: { b: ["a"], c: ["a"] },
      }],
    ] as [string, Metadata][]
  ) {
    const isOld = $schema.includes("04");
    const check = dataCheck({ $schema, ...words });
    assertEquals(check({ a: isOld ? 1.5 : [2], d: 1 }), undefined, $schema);
    assert(check({ a: isOld ? 1 : [3] }) !== undefined, $schema);
    if (isOld) continue;
    assert(check({ a: [2, 2] }) !== undefined, $schema);
    assert(check({ b: 1 }) !== undefined && check({ c: 1 }) !== undefined, $schema);
    assertEquals(check({ a: [2], b: 1, c: 1 }), undefined, $schema);
    if (!$schema.includes("2020")) continue;
    assertEquals(check({ long: 1 }), 'data: Property name "long" does not match schema.');
    assert(check({ x: 1 }) !== undefined);
  }
});

Deno.test("dataCheck() refuses another draft and its words by their names", strict, () => {
  const draft3 = refusal({ $schema: "http://json-schema.org/draft-03/schema#" });
  assert(draft3.startsWith("schema.$schema must be one of http://json-schema.org/draft-04"));
  const nested = { not: { $schema: "http://json-schema.org/draft-07/schema#" } };
  assertEquals(refusal(nested), "schema.not.$schema is taken at the top only");
  assertEquals(refusal({ dependencies: {} }), "schema.dependencies is no word of draft 2020-12");
  const $schema = "http://json-schema.org/draft-04/schema#";
  assertEquals(refusal({ $schema, const: 1 }), "schema.const is no word of draft 4");
  const bound = refusal({ $schema, exclusiveMinimum: 1 });
  assertEquals(bound, "schema.exclusiveMinimum must be true or false");
  const depends = { $schema: "http://json-schema.org/draft-07/schema#", dependencies: { a: 1 } };
  assertEquals(refusal(depends), "schema.dependencies.a must be a schema");
  assertEquals(refusal({ propertyNames: 1 }), "schema.propertyNames must be a schema");
});

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
  const names = { propertyNames: { anyOf: Array(20).fill({ maxLength: 3 }) } };
  assertEquals(dataCheck(names)(named), tooMuch);
  const $schema = "http://json-schema.org/draft-07/schema#";
  const depends = Object.fromEntries(
    Array(30).fill(0).map((_, i) => [`n${i}`, { minProperties: 1 }]),
  );
  assertEquals(dataCheck({ $schema, dependencies: depends })(named), tooMuch);
  const listed = { n1: Array(4000).fill("name") };
  assertEquals(dataCheck({ $schema, items: { dependencies: listed } })(many), tooMuch);
  const further = { items: [true], additionalItems: { allOf: [true, true] } };
  assertEquals(dataCheck({ $schema, ...further })(many), tooMuch);
  // A long name is written into the place of each error.
  const places = { allOf: Array(1300).fill({ additionalProperties: true }) };
  assertEquals(dataCheck(places)({ ["n".repeat(30_000)]: 1 }), tooMuch);

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
