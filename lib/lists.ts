import { ConfabError } from "./errors.ts";
import { isId } from "./ids.ts";
import { isStorable } from "./schemas.ts";

/** A page of a list; `next` is opaque and null on the last page. */
export interface List<T> {
  items: T[];
  next: string | null;
}

/** Makes a page of `limit` from up to `limit + 1` rows; `key` is what the next page begins after. */
export function listOf<T>(rows: T[], limit: number, key: (last: T) => string[]): List<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { items, next: more ? encodeCursor(key(last)) : null };
}

function encodeCursor(key: string[]): string {
  const bytes = new TextEncoder().encode(JSON.stringify(key));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_")
    .replaceAll("=", "");
}

/** Reads what listOf() wrote. Throws `invalid_cursor` for anything else. */
export function decodeCursor(cursor: string, parts: number): string[] {
  try {
    const binary = atob(cursor.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
    const key: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (Array.isArray(key) && key.length === parts) {
      if (
        key.every((part) => typeof part === "string" && isStorable(part)) && isId(key.at(-1))
      ) {
        return key;
      }
    }
  } catch {
    // Not one of ours, as below.
  }
  throw new ConfabError("invalid_cursor");
}
