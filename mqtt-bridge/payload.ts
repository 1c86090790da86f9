import { Buffer } from "node:buffer";
import { z } from "zod";
import { deviceEnvelope } from "../lib/device_schemas.ts";
import { ConfabError } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import { type MessageBody, SIZES } from "../lib/protocol.ts";
import { clientIdSchema, textSchema, utf8Length } from "../lib/schemas.ts";

/** The MQTT 5 properties of a publish that matter here. */
export interface PublishProperties {
  /** The user property `client-id`. */
  clientId?: string;
  correlationData?: Uint8Array;
  responseTopic?: string;
}

/** A device's message, ready to be stored. */
export interface DeviceMessage {
  clientId: string;
  body: MessageBody;
}

/** Longer correlation data does not come back: an answer and it must fit into one packet. */
const MAX_ECHOED_BYTES = 1024;
/** Of a refusal's sentence: it may quote what was refused. */
const MAX_DETAIL_CHARS = 300;
const ENVELOPE_KEYS = new Set(Object.keys(deviceEnvelope.shape));
const CONTENT_KEYS = ["text", "data", "attachments"];
const plainSchema = z.strictObject({ text: textSchema });

/**
 * Reads the payload of a `send`. A JSON object that has `text`, `data` or `attachments`, and only
 * keys of the envelope (these, `clientId`, `replyTo`, `metadata`), is the envelope; every other
 * payload is the text of the message, also when it happens to be JSON.
 * The idempotency key is, in this order: the user property `client-id`, the correlation data as
 * base64url, the envelope's `clientId`, or an id made for this packet.
 *
 * @throws {ConfabError} `invalid_utf8`, `payload_too_large`, `invalid_request`
 */
export function readMessage(payload: Uint8Array, properties: PublishProperties): DeviceMessage {
  const envelope = readEnvelope(decodeText(payload));
  const key = keyOf(properties) ?? envelope.clientId ?? newId();
  const clientId = clientIdSchema.safeParse(key);
  if (!clientId.success) throw invalid("clientId", "must be 1 to 64 of A-Z a-z 0-9 . _ : -");
  const { clientId: _, ...body } = envelope;
  return { clientId: clientId.data, body };
}

/** The key that a refused publish is answered with, where it can be known. */
export function claimedKey(
  payload: Uint8Array,
  properties: PublishProperties,
): string | undefined {
  const key = keyOf(properties);
  if (key !== undefined) return clientIdSchema.safeParse(key).success ? key : undefined;
  if (payload.length > SIZES.bodyBytes) return undefined;
  try {
    const value: unknown = JSON.parse(decodeText(payload));
    if (typeof value !== "object" || value === null || !("clientId" in value)) return undefined;
    const parsed = clientIdSchema.safeParse(value.clientId);
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** What comes back with the answer to a publish. */
export function echoOf({ correlationData }: PublishProperties): { correlationData?: Uint8Array } {
  const isShort = correlationData !== undefined && correlationData.length <= MAX_ECHOED_BYTES;
  return isShort ? { correlationData } : {};
}

/** Decodes UTF-8 strictly. Throws ConfabError `invalid_utf8`, `payload_too_large`. */
export function decodeText(payload: Uint8Array): string {
  if (payload.length > SIZES.bodyBytes) throw new ConfabError("payload_too_large");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload);
  } catch (cause) {
    throw new ConfabError("invalid_utf8", undefined, { cause });
  }
}

/** The error of a value that a schema refused, with its fields. */
export function refusalOf(error: z.ZodError): ConfabError {
  const errors = error.issues.slice(0, 10).map((issue) => ({
    path: issue.path.join(".").slice(0, MAX_DETAIL_CHARS),
    message: issue.message.slice(0, MAX_DETAIL_CHARS),
  }));
  const first = errors[0];
  const detail = first && (first.path === "" ? first.message : `${first.path} ${first.message}`);
  return new ConfabError("invalid_request", detail, { errors });
}

function keyOf({ clientId, correlationData }: PublishProperties): string | undefined {
  if (clientId !== undefined) return clientId;
  if (correlationData === undefined || correlationData.length === 0) return undefined;
  return Buffer.from(correlationData).toString("base64url");
}

function readEnvelope(text: string): MessageBody & { clientId?: string } {
  const value = parseObject(text);
  const isEnvelope = value !== undefined && CONTENT_KEYS.some((key) => key in value) &&
    Object.keys(value).every((key) => ENVELOPE_KEYS.has(key));
  const candidate = isEnvelope ? value : { text };
  refuseTooLarge(candidate);
  const parsed = (isEnvelope ? deviceEnvelope : plainSchema).safeParse(candidate);
  if (!parsed.success) throw refusalOf(parsed.error);
  return parsed.data;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refuseTooLarge(value: Record<string, unknown>): void {
  const { text, data } = value;
  const tooLarge = (typeof text === "string" && utf8Length(text) > SIZES.textBytes) ||
    (data !== undefined && utf8Length(JSON.stringify(data)) > SIZES.dataBytes);
  if (tooLarge) throw new ConfabError("payload_too_large");
}

function invalid(path: string, message: string): ConfabError {
  return new ConfabError("invalid_request", `${path} ${message}`, { errors: [{ path, message }] });
}
