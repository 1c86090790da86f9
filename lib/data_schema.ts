import { type Schema, validate } from "@cfworker/json-schema";
import { DataCost } from "./data_cost.ts";
import {
  type Draft,
  DRAFT_URIS,
  draftOf,
  isOf,
  REFUSED,
  type Shape,
  WORDS,
} from "./data_schema_words.ts";
import { ConfabError } from "./errors.ts";
import type { Json, Metadata } from "./protocol.ts";

/** Says what is wrong with some data; undefined: nothing. */
export type DataCheck = (data: Json) => string | undefined;

const NOT_TAKEN: ReadonlySet<string> = new Set(REFUSED);
const TYPES = new Set(["null", "boolean", "object", "array", "number", "integer", "string"]);
/** One message may cost the bridge so much: some 10 ms. */
const MAX_STEPS = 20_000;

/**
 * Reads a JSON Schema of the draft that its `$schema` names (2020-12 when it has none), with the
 * words of data_schema_words.ts; other words are notes.
 * @throws {ConfabError} `invalid_request` with where the schema is wrong
 */
export function dataCheck(schema: Metadata): DataCheck {
  const draft = draftOf(schema.$schema);
  if (draft === undefined) {
    throw refused("schema.$schema", `must be one of ${DRAFT_URIS.join(", ")}`);
  }
  const { $schema: _, ...rest } = schema;
  inspect(rest, "schema", draft);
  const cost = new DataCost(schema);
  // Only references look into it. A Validator would fill it, following `id` as older drafts do:
  // with those nested, for ever.
  const lookup = Object.create(null);
  return (data) => {
    if (!cost.isWithin(data, MAX_STEPS)) return "data: holds too much for its schema";
    const { valid, errors } = validate(bare(data), schema as Schema, draft, lookup, true);
    if (valid) return undefined;
    const { instanceLocation, error } = errors.find(({ keyword }) => !OUTER.has(keyword)) ??
      errors[0]!;
    return `${instanceLocation.replace(/^#/, "data")}: ${error}`.slice(0, 300);
  };
}

/** Errors with these words only say that there is another one further in. */
const OUTER = new Set([
  "properties",
  "items",
  "prefixItems",
  "additionalItems",
  "additionalProperties",
  "false",
]);

/** The same without what all objects inherit: `constructor` is no property of them. */
function bare(data: Json): unknown {
  if (typeof data !== "object" || data === null) return data;
  if (Array.isArray(data)) return data.map(bare);
  const object = Object.create(null);
  for (const [name, value] of Object.entries(data)) object[name] = bare(value);
  return object;
}

function inspect(schema: Json, path: string, draft: Draft): void {
  if (typeof schema === "boolean") return;
  if (!isObject(schema)) throw refused(path, "must be a schema");
  for (const [name, value] of Object.entries(schema)) {
    const here = `${path}.${name}`;
    if (NOT_TAKEN.has(name)) throw refused(here, "is not supported");
    if (name === "$schema") throw refused(here, "is taken at the top only");
    // They are looked at although they say nothing: a mistake would be found only when one is used.
    if (name === "$defs" || name === "definitions") CHECKS.named(value, here, draft);
    if (!Object.hasOwn(WORDS, name)) continue;
    const word = WORDS[name]!;
    if (!isOf(draft, word)) throw refused(here, `is no word of draft ${draft}`);
    CHECKS[word.shape](value, here, draft);
  }
}

type Check = (value: Json, path: string, draft: Draft) => void;

function must(isRight: (value: Json, draft: Draft) => boolean, be: string): Check {
  return (value, path, draft) => {
    if (!isRight(value, draft)) throw refused(path, `must be ${be}`);
  };
}

const number = must((value) => typeof value === "number", "a number");

const CHECKS: Record<Shape, Check> = {
  any: () => {},
  type: inspectType,
  list: must(Array.isArray, "a list"),
  names: must(isNames, "a list of names"),
  number,
  // In draft 4 it says of the bound beside it that it does not belong to it
  bound: (value, path, draft) =>
    draft === "4"
      ? must((flag) => typeof flag === "boolean", "true or false")(value, path, draft)
      : number(value, path, draft),
  schema: inspect,
  schemas(value, path, draft) {
    if (!Array.isArray(value)) throw refused(path, "must be a list of schemas");
    for (const one of value) inspect(one, path, draft);
  },
  named(value, path, draft) {
    if (!isObject(value)) throw refused(path, "must be an object of schemas");
    for (const [name, schema] of Object.entries(value)) inspect(schema, `${path}.${name}`, draft);
  },
  items: (value, path, draft) =>
    Array.isArray(value) && draft !== "2020-12"
      ? CHECKS.schemas(value, path, draft)
      : inspect(value, path, draft),
  "lists of names": must(
    (value) => isObject(value) && Object.values(value).every(isNames),
    "an object of lists of names",
  ),
  dependencies(value, path, draft) {
    if (!isObject(value)) throw refused(path, "must be an object of schemas or lists of names");
    for (const [name, one] of Object.entries(value)) {
      if (Array.isArray(one)) CHECKS.names(one, `${path}.${name}`, draft);
      else inspect(one, `${path}.${name}`, draft);
    }
  },
};

function isObject(value: Json): value is Metadata {
  return typeof value === "object" && value !== null && !Array.isArray(value);
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

function refused(path: string, message: string): ConfabError {
  return new ConfabError("invalid_request", undefined, { errors: [{ path, message }] });
}
