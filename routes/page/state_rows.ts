import type { Json, Metadata } from "../../lib/client/mod.ts";

/** One field of a device's state: what it is, and what it shall be. */
export interface StateRow {
  /** Names from the outside in, joined by dots. */
  field: string;
  reported: Json | undefined;
  desired: Json | undefined;
  /** Something is wished for that is not so. */
  differs: boolean;
}

/**
 * Reported and desired state side by side, by field; objects are gone into, lists are values. A
 * field that is wished to be null shall be absent.
 */
export function stateRows(reported: Metadata, desired: Metadata): StateRow[] {
  const [is, shall] = [fieldsOf(reported), fieldsOf(desired)];
  return [...new Set([...is.keys(), ...shall.keys()])].sort().map((field) => {
    const [a, b] = [is.get(field), shall.get(field)];
    const differs = b !== undefined && !equal(a ?? null, b);
    return { field, reported: a, desired: b, differs };
  });
}

function fieldsOf(state: Metadata): Map<string, Json> {
  const fields = new Map<string, Json>();
  const enter = (value: Json, path: string[]) => {
    const object = typeof value === "object" && value !== null && !Array.isArray(value);
    const entries = object ? Object.entries(value) : [];
    if (entries.length === 0 && path.length > 0) fields.set(path.join("."), value);
    for (const [name, inner] of entries) enter(inner, [...path, name]);
  };
  enter(state, []);
  return fields;
}

/** Equal as JSON values: the order of an object's keys says nothing. */
function equal(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [x, y] = [a as Metadata, b as Metadata];
  const keys = Object.keys(x);
  return keys.length === Object.keys(y).length && keys.every((key) => equal(x[key], y[key]));
}
