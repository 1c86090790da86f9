import { isObject } from "./merge_patch.ts";
import type { Json, Metadata } from "./protocol.ts";

/**
 * What of a desired state is not so in the reported one, as a merge patch (RFC 7386): applied to
 * what is reported, it leaves no difference. It goes into objects, and has only members of
 * `desired`; lists are values. A member that is null shall be absent.
 */
export function stateDelta(desired: Metadata, reported: Metadata = {}): Metadata {
  const held = new Map(Object.entries(reported));
  const delta = new Map<string, Json>();
  for (const [name, value] of Object.entries(desired)) {
    const is = held.get(name);
    if (isObject(value) && isObject(is)) {
      const inner = stateDelta(value, is);
      if (Object.keys(inner).length > 0) delta.set(name, inner);
    } else if (!isSame(value, is ?? null)) delta.set(name, value);
  }
  return Object.fromEntries(delta);
}

/** Equal as JSON values: the order of an object's members says nothing. */
function isSame(a: Json, b: Json | undefined): boolean {
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => isSame(item, b[i]));
  }
  if (!isObject(a)) return a === b;
  if (!isObject(b)) return false;
  const others = new Map(Object.entries(b));
  const own = Object.entries(a);
  return own.length === others.size &&
    own.every(([name, value]) => isSame(value, others.get(name)));
}
