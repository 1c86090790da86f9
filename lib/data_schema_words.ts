/** The drafts of JSON Schema that a device's data may be described in, oldest first. */
export const DRAFTS = ["4", "7", "2019-09", "2020-12"] as const;
/** One of them, as the validator calls it. */
export type Draft = typeof DRAFTS[number];

/** The drafts by what `$schema` says, without a `#` at its end. */
const URIS: Record<string, Draft> = {
  "http://json-schema.org/draft-04/schema": "4",
  "http://json-schema.org/draft-07/schema": "7",
  "https://json-schema.org/draft/2019-09/schema": "2019-09",
  "https://json-schema.org/draft/2020-12/schema": "2020-12",
};
/** What `$schema` may say. */
export const DRAFT_URIS: readonly string[] = Object.keys(URIS);

/** The draft that a schema names, 2020-12 when it names none; undefined: another one. */
export function draftOf(uri: unknown = "https://json-schema.org/draft/2020-12/schema") {
  const known = typeof uri === "string" ? uri.replace(/#$/, "") : "";
  return Object.hasOwn(URIS, known) ? URIS[known] : undefined;
}

/** What the value of a word must be. */
export type Shape =
  | "any"
  | "type"
  | "list"
  | "names"
  | "number"
  | "bound"
  | "schema"
  | "schemas"
  | "named"
  | "items"
  | "lists of names"
  | "dependencies";

interface Word {
  shape: Shape;
  from?: Draft;
  to?: Draft;
}

/** The words that say something about data, with the drafts that have them. */
export const WORDS: Readonly<Record<string, Word>> = {
  type: { shape: "type" },
  const: { shape: "any", from: "7" },
  enum: { shape: "list" },
  allOf: { shape: "schemas" },
  anyOf: { shape: "schemas" },
  oneOf: { shape: "schemas" },
  not: { shape: "schema" },
  if: { shape: "schema", from: "7" },
  then: { shape: "schema", from: "7" },
  else: { shape: "schema", from: "7" },
  properties: { shape: "named" },
  additionalProperties: { shape: "schema" },
  unevaluatedProperties: { shape: "schema", from: "2019-09" },
  propertyNames: { shape: "schema", from: "7" },
  required: { shape: "names" },
  dependentRequired: { shape: "lists of names", from: "2019-09" },
  dependentSchemas: { shape: "named", from: "2019-09" },
  dependencies: { shape: "dependencies", to: "7" },
  minProperties: { shape: "number" },
  maxProperties: { shape: "number" },
  items: { shape: "items" },
  prefixItems: { shape: "schemas", from: "2020-12" },
  additionalItems: { shape: "schema", to: "2019-09" },
  unevaluatedItems: { shape: "schema", from: "2019-09" },
  contains: { shape: "schema", from: "7" },
  minContains: { shape: "number", from: "2019-09" },
  maxContains: { shape: "number", from: "2019-09" },
  minItems: { shape: "number" },
  maxItems: { shape: "number" },
  minimum: { shape: "number" },
  maximum: { shape: "number" },
  exclusiveMinimum: { shape: "bound" },
  exclusiveMaximum: { shape: "bound" },
  multipleOf: { shape: "number" },
  minLength: { shape: "number" },
  maxLength: { shape: "number" },
};

/**
 * Words that are refused. One person's schema is applied by a bridge that serves everybody, so its
 * cost must follow from its size and that of the data: patterns may take for ever, references
 * multiply, and uniqueness compares each with each.
 */
export const REFUSED = [
  "pattern",
  "patternProperties",
  "format",
  "uniqueItems",
  "$ref",
  "$dynamicRef",
  "$recursiveRef",
  "$recursiveAnchor",
] as const;

/** True when `draft` has the word. */
export function isOf(draft: Draft, { from = "4", to = "2020-12" }: Word): boolean {
  const at = DRAFTS.indexOf(draft);
  return DRAFTS.indexOf(from) <= at && at <= DRAFTS.indexOf(to);
}

/** The drafts that have a word, as documents say it. */
export function draftsOf({ from, to }: Word): string {
  if (from !== undefined) return `from ${from}`;
  return to === undefined ? "all" : `up to ${to}`;
}
