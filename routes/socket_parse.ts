import { ConfabError } from "../lib/errors.ts";
import type { ClientFrame } from "../lib/protocol.ts";
import { FRAME_TYPES, frameSchema, utf8Length } from "../lib/schemas.ts";

/**
 * Turns what came over a socket into a frame. Throws `payload_too_large`, `invalid_json`,
 * `unknown_type` or `invalid_request` with the fields that are wrong.
 */
export function parseFrame(data: unknown, maxBytes: number): ClientFrame {
  if (typeof data !== "string") throw new ConfabError("invalid_request", "Send text frames");
  if (data.length > maxBytes || (data.length * 3 > maxBytes && utf8Length(data) > maxBytes)) {
    throw new ConfabError("payload_too_large", `A frame has at most ${maxBytes} bytes`);
  }
  const value = parseJson(data);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ConfabError("invalid_request", "A frame is one JSON object");
  }
  if (!("type" in value) || typeof value.type !== "string" || !FRAME_TYPES.has(value.type)) {
    throw new ConfabError("unknown_type");
  }
  const parsed = frameSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ConfabError("invalid_request", undefined, {
    errors: parsed.error.issues.slice(0, 10).map(({ path, message }) => ({
      path: path.join("."),
      message,
    })),
  });
}

/** The `id` of a frame that was refused, where one can be found. */
export function frameId(data: unknown): string | undefined {
  if (typeof data !== "string" || data.length > 65_536) return undefined;
  try {
    const id: unknown = JSON.parse(data)?.id;
    return typeof id === "string" && id.length >= 1 && id.length <= 64 ? id : undefined;
  } catch {
    return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ConfabError("invalid_json");
  }
}
