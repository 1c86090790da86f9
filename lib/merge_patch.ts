import type { Json, Metadata } from "./protocol.ts";

/**
 * The object after a merge patch (RFC 7386): members of the patch replace those of the target,
 * objects are merged, and null removes.
 */
export function mergePatch(target: Json | undefined, patch: Metadata): Metadata {
  const merged = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, isObject(value) ? mergePatch(merged.get(name), value) : value);
  }
  return Object.fromEntries(merged);
}

/** True for a JSON object; lists are none. */
export function isObject(value: Json | undefined): value is Metadata {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
