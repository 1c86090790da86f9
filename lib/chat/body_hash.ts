import type { Json, MessageBody } from "../protocol.ts";

/** The one hash that does not have to be waited for; loaded with the first body, see sha256(). */
let nodeCrypto: typeof import("node:crypto") | undefined;

/**
 * Names the content of a body, whatever the order of its keys, as 128 bits of SHA-256 in the form
 * of a UUID: a repeat with the same clientId must have the same hash.
 */
export function bodyHash(body: MessageBody & { target?: number; remove?: boolean }): string {
  const parts: Json[] = [
    body.text ?? null,
    sorted(body.data ?? null),
    sorted(body.metadata ?? null),
    body.replyTo ?? null,
    body.target ?? null,
    body.remove ?? false,
  ];
  // Only where there are any: bodies without them keep the hashes that are stored.
  for (const { url, name, type, size, sha256 } of body.attachments ?? []) {
    parts.push([url, name ?? null, type ?? null, size ?? null, sha256 ?? null]);
  }
  const hex = sha256(JSON.stringify(parts));
  const part = (from: number, to: number) => hex.slice(from, to);
  return `${part(0, 8)}-${part(8, 12)}-${part(12, 16)}-${part(16, 20)}-${part(20, 32)}`;
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return ["[", ...value.map(sorted)];
  if (typeof value !== "object" || value === null) return value;
  const keys = Object.keys(value).sort();
  return ["{", ...keys.map((key) => [key, sorted(value[key]!)])];
}

/** In hex. An import would cost every cold start what only the first message has to pay: 25 ms. */
function sha256(text: string): string {
  // deno-lint-ignore no-node-globals -- the only way to load a module without waiting for it
  nodeCrypto ??= process.getBuiltinModule("node:crypto");
  return nodeCrypto.hash("sha256", text);
}
