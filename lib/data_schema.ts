import { type Schema, validate } from "@cfworker/json-schema";
import { DataCost } from "./data_cost.ts";
import { ConfabError } from "./errors.ts";
import type { Json, Metadata } from "./protocol.ts";

/** Says what is wrong with some data; undefined: nothing. */
export type DataCheck = (data: Json) => string | undefined;

/**
 * Words of JSON Schema that are refused. One person's schema is applied by a bridge that serves
 * everybody, so its cost must follow from its size and that of the data: patterns may take for ever,
 * references multiply, and uniqueness compares each with each. The last two are of older drafts.
 */
const REFUSED = new Set([
  "pattern",
  "patternProperties",
  "propertyNames",
  "format",
  "uniqueItems",
  "$ref",
  "$dynamicRef",
  "$recursiveRef",
  "$recursiveAnchor",
  "$schema",
  "$id",
  "dependencies",
  "additionalItems",
]);
const TYPES = new Set(["null", "boolean", "object", "array", "number", "integer", "string"]);
/** Words whose values are schemas by names of the author's choice. */
const NAMED = new Set(["properties", "dependentSchemas", "$defs", "definitions"]);
/** Words whose values are lists of schemas. */
const LISTS = new Set(["allOf", "anyOf", "oneOf", "prefixItems"]);
/** Words whose values are schemas. */
const SINGLE = new Set([
  "not",
  "if",
  "then",
  "else",
  "items",
  "contains",
  "unevaluatedItems",
  "additionalProperties",
  "unevaluatedProperties",
]);
const NUMBERS =
  /^((exclusive)?(Min|Max|min|max)imum|multipleOf|(min|max)(Length|Items|Properties|Contains))$/;
/** One message may cost the bridge so much: some 10 ms. */
const MAX_STEPS = 20_000;

/**
 * Reads a JSON Schema (draft 2020-12, json-schema.org/draft/2020-12) without the words above.
 * @throws {ConfabError} `invalid_request` with where the schema is wrong
 */
export function dataCheck(schema: Metadata): DataCheck {
  inspect(schema, "schema");
  const cost = new DataCost(schema);
  // Only references look into it. A Validator would fill it, following `id` as older drafts do:
  // with those nested, for ever.
  const lookup = Object.create(null);
  return (data) => {
    if (!cost.isWithin(data, MAX_STEPS)) return "data: holds too much for its schema";
    const { valid, errors } = validate(bare(data), schema as Schema, "2020-12", lookup, true);
    if (valid) return undefined;
    const { instanceLocation, error } = errors.find(({ keyword }) => !OUTER.has(keyword)) ??
      errors[0]!;
    return `${instanceLocation.replace(/^#/, "data")}: ${error}`.slice(0, 300);
  };
}

/** Errors with these words only say that there is another one further in. */
const OUTER = new Set(["properties", "items", "prefixItems", "additionalProperties", "false"]);

/** The same without what all objects inherit: `constructor` is no property of them. */
function bare(data: Json): unknown {
  if (typeof data !== "object" || data === null) return data;
  if (Array.isArray(data)) return data.map(bare);
  const object = Object.create(null);
  for (const [name, value] of Object.entries(data)) object[name] = bare(value);
  return object;
}

function inspect(schema: Json, path: string): void {
  if (typeof schema === "boolean") return;
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
    throw refused(path, "must be a schema");
  }
  for (const [word, value] of Object.entries(schema)) {
    const here = `${path}.${word}`;
    if (REFUSED.has(word)) throw refused(here, "is not supported");
    if (word === "type") inspectType(value, here);
    else if (NAMED.has(word)) inspectNamed(value, here);
    else if (SINGLE.has(word)) inspect(value, here);
    else if (LISTS.has(word)) {
      if (!Array.isArray(value)) throw refused(here, "must be a list of schemas");
      for (const one of value) inspect(one, here);
    } else inspectPlain(word, value, here);
  }
}

function inspectPlain(word: string, value: Json, path: string): void {
  if (NUMBERS.test(word) && typeof value !== "number") throw refused(path, "must be a number");
  if (word === "enum" && !Array.isArray(value)) throw refused(path, "must be a list");
  if (word === "required" && !isNames(value)) throw refused(path, "must be a list of names");
  if (word !== "dependentRequired") return;
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject || !Object.values(value).every(isNames)) {
    throw refused(path, "must be an object of lists of names");
  }
}

function isNames(value: Json): boolean {
  return Array.isArray(value) && value.every((name) => typeof name === "string");
}

function inspectType(value: Json, path: string): void {
  const types = Array.isArray(value) ? value : [value];
  if (types.length === 0 || !types.every((type) => TYPES.has(type as string))) {
    throw refused(path, "must name types of JSON");
  }
}

function inspectNamed(value: Json, path: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refused(path, "must be an object of schemas");
  }
  for (const [name, schema] of Object.entries(value)) inspect(schema, `${path}.${name}`);
}

function refused(path: string, message: string): ConfabError {
  return new ConfabError("invalid_request", undefined, { errors: [{ path, message }] });
}
