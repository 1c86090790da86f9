import { type Schema, Validator } from "@cfworker/json-schema";
import { ConfabError } from "./errors.ts";
import type { Json, Metadata } from "./protocol.ts";

/** Says what is wrong with some data; undefined: nothing. */
export type DataCheck = (data: Json) => string | undefined;

/**
 * Words of JSON Schema that are refused. One person's schema is applied by a bridge that serves
 * everybody, so its cost must follow from its size and that of the data: patterns may take for ever,
 * references multiply, and uniqueness compares each with each.
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
  "$schema",
  "$id",
]);
const TYPES = new Set(["null", "boolean", "object", "array", "number", "integer", "string"]);
/** Words whose values are schemas by names of the author's choice. */
const NAMED = new Set(["properties", "dependentSchemas", "$defs", "definitions"]);
/** Words whose values are data. */
const DATA = new Set(["const", "enum", "default", "examples"]);

/**
 * Reads a JSON Schema (draft 2020-12, json-schema.org/draft/2020-12) without the words above.
 * @throws {ConfabError} `invalid_request` with where the schema is wrong
 */
export function dataCheck(schema: Metadata): DataCheck {
  inspect(schema, "schema");
  const validator = new Validator(schema as Schema, "2020-12", false);
  return (data) => {
    const { valid, errors } = validator.validate(data);
    if (valid) return undefined;
    const { instanceLocation, error } = errors.find(({ keyword }) => !OUTER.has(keyword)) ??
      errors[0]!;
    return `${instanceLocation.replace(/^#/, "data")}: ${error}`.slice(0, 300);
  };
}

/** Errors with these words only say that there is another one further in. */
const OUTER = new Set(["properties", "items", "prefixItems", "additionalProperties", "false"]);

function inspect(schema: Json, path: string): void {
  if (typeof schema === "boolean") return;
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
    throw refused(path, "must be a schema");
  }
  for (const [word, value] of Object.entries(schema)) {
    const here = `${path}.${word}`;
    if (REFUSED.has(word)) throw refused(here, "is not supported");
    if (word === "type") inspectType(value, here);
    else if (DATA.has(word)) continue;
    else if (NAMED.has(word)) inspectNamed(value, here);
    else if (Array.isArray(value)) {
      for (const one of value) if (typeof one === "object") inspect(one, here);
    } else if (typeof value === "object" && value !== null && word !== "dependentRequired") {
      inspect(value, here);
    }
  }
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
