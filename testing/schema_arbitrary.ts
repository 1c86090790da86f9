import fc from "fast-check";
import type { JsonSchema } from "../routes/json_schemas.ts";
import { NAUGHTY_STRINGS } from "./naughty_strings.ts";

const SMALL = { maxLength: 3, maxKeys: 3, depthSize: "small" as const };

/** A string of any kind, well-formed or not. */
export const naughtyString = (): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constantFrom(...NAUGHTY_STRINGS),
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 5 })
      .map((units) => String.fromCharCode(...units)),
  );

/** Any JSON value, with naughty strings, extreme numbers and deep nesting among it. */
export const wildJson = (): fc.Arbitrary<unknown> =>
  fc.oneof(
    fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(null, true, false, 0, -0, -1, 1.5, 2 ** 53, 1e308, 5e-324, [], {}),
        naughtyString(),
        fc.array(tie("value"), SMALL),
        fc.dictionary(naughtyString().map((key) => key.slice(0, 70)), tie("value"), SMALL),
      ),
    })).value,
    fc.integer({ min: 30, max: 5000 }).map((depth) => nested(depth)),
  );

function nested(depth: number): unknown {
  let value: unknown = "deep";
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

/** Values that fit a JSON Schema as far as it says; `ids` stand in for every uuid. */
export function arbitraryOf(schema: JsonSchema, ids: readonly string[]): fc.Arbitrary<unknown> {
  const options = (schema.anyOf ?? schema.oneOf) as JsonSchema[] | undefined;
  if (options !== undefined) return fc.oneof(...options.map((each) => arbitraryOf(each, ids)));
  if ("const" in schema) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case "string":
      return stringOf(schema, ids);
    case "integer":
    case "number":
      return integerOf(schema);
    case "boolean":
      return fc.boolean();
    case "array":
      return fc.array(arbitraryOf((schema.items ?? {}) as JsonSchema, ids), SMALL);
    case "object":
      return objectOf(schema, ids);
    default:
      return fc.jsonValue({ maxDepth: 3 });
  }
}

function stringOf(schema: JsonSchema, ids: readonly string[]): fc.Arbitrary<string> {
  const { format, pattern, minLength = 0, maxLength = 40 } = schema as {
    format?: string;
    pattern?: string;
    minLength?: number;
    maxLength?: number;
  };
  if (format === "uuid") return fc.constantFrom(...ids);
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
  return fc.string({ unit: "grapheme", minLength, maxLength: Math.min(maxLength, 40) });
}

/** Small numbers most of all, because they are those of entries that exist. */
function integerOf({ minimum, maximum }: JsonSchema): fc.Arbitrary<number> {
  const min = (minimum as number | undefined) ?? 0;
  const max = (maximum as number | undefined) ?? Number.MAX_SAFE_INTEGER;
  return fc.oneof(fc.integer({ min, max: Math.min(max, min + 9) }), fc.maxSafeInteger())
    .map((value) => Math.min(max, Math.max(min, value)));
}

function objectOf(schema: JsonSchema, ids: readonly string[]): fc.Arbitrary<unknown> {
  const properties = schema.properties as Record<string, JsonSchema> | undefined;
  if (properties === undefined) {
    return fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }), SMALL);
  }
  const values = Object.fromEntries(
    Object.entries(properties).map(([name, each]) => [name, arbitraryOf(each, ids)]),
  );
  const requiredKeys = (schema.required ?? []) as string[];
  return fc.record(values, { requiredKeys });
}

/** One field gone, added or of another value. */
export function nearly(valid: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.tuple(valid, fc.nat(), fc.constantFrom("drop", "add", "change"), wildJson())
    .map(([value, pick, how, wild]) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return wild;
      const keys = Object.keys(value);
      const key = keys[pick % Math.max(1, keys.length)] ?? "extra";
      if (how === "add") return { ...value, [`${key}X`]: wild };
      const { [key]: _, ...rest } = value as Record<string, unknown>;
      return how === "drop" ? rest : { ...rest, [key]: wild };
    });
}
