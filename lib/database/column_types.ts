import type { SqlValue } from "./mod.ts";

/** Turns the text form of one column into a value. */
type Parser = (text: string) => unknown;

/** What pg-types exports, and both drivers as `types`. */
export interface TypeParsers {
  // deno-lint-ignore no-explicit-any -- the signature of pg-types
  getTypeParser(oid: number, format?: any): any;
}

const TEXT_ARRAY: number = 1009;
const FLOAT8_ARRAY: number = 1022;
const asText: Parser = (text) => text;

/**
 * How every driver reads columns, in the shape that both pg and Neon's driver accept as `types`:
 * `int8` is a number, `timestamptz` a Date, `json` and `jsonb` parsed, arrays are arrays; other
 * types stay text. `base` is the driver's own pg-types.
 */
export function columnTypes(base: TypeParsers): TypeParsers {
  const asTexts: Parser = base.getTypeParser(TEXT_ARRAY);
  const asNumbers: Parser = base.getTypeParser(FLOAT8_ARRAY);
  // By type OID (`select oid, typname from pg_type`): where Confab differs from pg-types.
  const own: Record<number, Parser> = {
    20: Number, // int8: every bigint of the schema counts something, far below 2 ** 53
    1016: asNumbers, // int8[]
    1082: asText, // date and timestamp: without a time zone they are no point in time
    1114: asText,
    1115: asTexts,
    1182: asTexts,
  };
  return {
    getTypeParser: (oid, format = "text") => own[oid] ?? base.getTypeParser(oid, format),
  };
}

/** Parameters as both drivers send them alike: times as RFC 3339 in UTC, never in local time. */
export function toParameters(values: readonly SqlValue[]): SqlValue[] {
  return values.map((value) => value instanceof Date ? value.toISOString() : value);
}
