import { hash } from "node:crypto";
import type { Json, MessageBody } from "../protocol.ts";

/**
 * Names the content of a body, whatever the order of its keys, as 128 bits of SHA-256 in the form
 * of a UUID: a repeat with the same clientId must have the same hash.
 */
export function bodyHash(body: MessageBody & { target?: number; remove?: boolean }): string {
  const parts = [
    body.text ?? null,
    sorted(body.data ?? null),
    sorted(body.metadata ?? null),
    body.replyTo ?? null,
    body.target ?? null,
    body.remove ?? false,
  ];
  const hex = hash("sha256", JSON.stringify(parts));
  return hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return ["[", ...value.map(sorted)];
  if (typeof value !== "object" || value === null) return value;
  const keys = Object.keys(value).sort();
  return ["{", ...keys.map((key) => [key, sorted(value[key]!)])];
}
