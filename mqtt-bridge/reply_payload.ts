import type { CommandReply } from "../lib/chat/command_answers.ts";
import { deviceReply } from "../lib/device_schemas.ts";
import { ConfabError } from "../lib/errors.ts";
import { isId } from "../lib/ids.ts";
import type { Json } from "../lib/protocol.ts";
import { dataSchema, textSchema } from "../lib/schemas.ts";
import { decodeText, type PublishProperties, refusalOf } from "./payload.ts";

const REPLY_KEYS = new Set(["ok", "text", "data", "attachments"]);

/**
 * Reads the payload of `replies`. An object with `commandId` is the reply as documented. Without
 * one, the correlation data names the command, and the payload may be an object with nothing but
 * `ok`, `text`, `data` and `attachments`, any other object (the data of the answer), any text, or nothing.
 *
 * @throws {ConfabError} `invalid_utf8`, `payload_too_large`, `invalid_json`, `invalid_request`
 */
export function readReply(payload: Uint8Array, properties: PublishProperties): CommandReply {
  const text = decodeText(payload);
  const value = objectIn(text);
  if (value !== undefined && "commandId" in value) return parsed(value);
  const commandId = correlated(properties);
  if (commandId === undefined) {
    if (value === undefined) throw new ConfabError("invalid_json", "Reply with a JSON object");
    return parsed(value);
  }
  if (text === "") return { commandId, ok: true };
  if (value === undefined) return { commandId, ok: true, text: checked(textSchema, text) };
  if (Object.keys(value).every((key) => REPLY_KEYS.has(key))) {
    return parsed({ ...value, commandId });
  }
  return { commandId, ok: true, data: checked(dataSchema, value as Json) };
}

/** The key that a reply is answered with, where it can be known: `command:` and the command's id. */
export function replyKey(payload: Uint8Array, properties: PublishProperties): string | undefined {
  let named: unknown;
  try {
    named = objectIn(decodeText(payload))?.commandId;
  } catch {
    // Too large, or not UTF-8: the correlation data may say it.
  }
  const commandId = named === undefined ? correlated(properties) : named;
  return typeof commandId === "string" && isId(commandId) ? keyOf(commandId) : undefined;
}

/** Names a command's answer among the messages of its device. */
export function keyOf(commandId: string): string {
  return `command:${commandId}`;
}

function correlated({ correlationData }: PublishProperties): string | undefined {
  // An id has 36 characters.
  if (correlationData === undefined || correlationData.length !== 36) return undefined;
  const id = new TextDecoder().decode(correlationData);
  return isId(id) ? id : undefined;
}

function objectIn(text: string): Record<string, unknown> | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parsed(value: Record<string, unknown>): CommandReply {
  return checked(deviceReply, value);
}

function checked<T>(
  schema: {
    safeParse(value: unknown):
      | { success: true; data: T }
      | { success: false; error: Parameters<typeof refusalOf>[0] };
  },
  value: unknown,
): T {
  const result = schema.safeParse(value);
  if (!result.success) throw refusalOf(result.error);
  return result.data;
}
