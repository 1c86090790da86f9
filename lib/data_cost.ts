import type { Json } from "./protocol.ts";

/** Words whose schemas apply to the same value. */
const HERE = ["not", "if", "then", "else"] as const;
const LISTS_HERE = ["allOf", "anyOf", "oneOf"] as const;
/** Words whose schema applies to all values inside. */
const INSIDE = [
  "items",
  "additionalItems",
  "contains",
  "unevaluatedItems",
  "additionalProperties",
  "unevaluatedProperties",
] as const;
/** Characters of a schema's text, or of the data, that cost as much as a schema applied once. */
const CHARS = 64;

interface Parts {
  own: number;
  here: Json[];
  inside: Json[];
  first: Json[];
  named: [string, Json][];
  names: Json[];
}

/**
 * Tells whether applying a schema to some data takes at most `max` steps: about one for each schema
 * applied to each value, however the schemas are nested. Schemas must have the shapes that
 * data_schema.ts has checked. Counting stops at the limit, so it costs no more either.
 */
export class DataCost {
  /** Of one call only: schemas of many devices are kept, and these are larger. */
  #parts = new Map<object, Parts>();
  #left = 0;

  constructor(private readonly schema: Json) {}

  isWithin(data: Json, max: number): boolean {
    this.#left = max;
    this.#parts = new Map();
    try {
      return this.#spend(this.schema, data);
    } finally {
      this.#parts = new Map();
    }
  }

  #spend(schema: Json, data: Json): boolean {
    if (typeof schema !== "object" || schema === null) return --this.#left >= 0;
    const { own, here, inside, first, named, names } = this.#read(schema);
    const isObject = typeof data === "object" && data !== null && !Array.isArray(data);
    const values = Array.isArray(data) ? data : isObject ? Object.values(data) : [];
    const keys = isObject ? Object.keys(data) : [];
    const length = typeof data === "string"
      ? data.length
      : keys.reduce((sum, key) => sum + 8 + key.length, 0);
    this.#left -= own + Math.floor(length / CHARS);
    if (this.#left < 0) return false;
    return here.every((one) => this.#spend(one, data)) &&
      names.every((one) => keys.every((key) => this.#spend(one, key))) &&
      inside.every((one) => values.every((value) => this.#spend(one, value))) &&
      (!Array.isArray(data) ||
        first.every((one, i) => i >= data.length || this.#spend(one, data[i]!))) &&
      (!isObject || named.every(([name, one]) => {
        const value = Object.hasOwn(data, name) ? data[name] : undefined;
        return value === undefined || this.#spend(one, value);
      }));
  }

  #read(schema: object): Parts {
    const known = this.#parts.get(schema);
    if (known !== undefined) return known;
    const words = schema as Record<string, Json>;
    const has = (word: string) => Object.hasOwn(words, word);
    const { dependentSchemas, dependencies, items, prefixItems, properties } = words;
    const depend = Object.values((dependencies ?? {}) as Record<string, Json>);
    const parts: Parts = {
      own: 1 + named(words.properties) + Math.floor(plainText(words).length / CHARS),
      here: [
        ...HERE.filter(has).map((word) => words[word]!),
        ...LISTS_HERE.filter(has).flatMap((word) => words[word] as Json[]),
        ...Object.values((dependentSchemas ?? {}) as object),
        ...depend.filter((one) => !Array.isArray(one)),
      ],
      inside: INSIDE.filter(has).map((word) => words[word]!).filter((one) => !Array.isArray(one)),
      first: [...(prefixItems ?? []) as Json[], ...(Array.isArray(items) ? items : [])],
      named: Object.entries((properties ?? {}) as Record<string, Json>),
      names: has("propertyNames") ? [words.propertyNames!] : [],
    };
    this.#parts.set(schema, parts);
    return parts;
  }
}

/** Looking for properties that are not there costs something, too. */
function named(properties: Json | undefined): number {
  return Math.floor(Object.keys(properties ?? {}).length / 8);
}

/** What a schema itself compares a value with. */
function plainText(
  { const: value, enum: values, required, dependentRequired, dependencies, type }: Record<
    string,
    Json
  >,
): string {
  const lists = Object.entries((dependencies ?? {}) as Record<string, Json>)
    .filter(([, one]) => Array.isArray(one));
  return JSON.stringify([value, values, required, dependentRequired, lists, type]);
}
