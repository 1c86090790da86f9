import { z } from "zod";
import { attachmentsSchema } from "./attachment_schemas.ts";
import { isId } from "./ids.ts";
import { isObject } from "./merge_patch.ts";
import { type ClientFrame, type Json, type MessageBody, SIZES } from "./protocol.ts";

/**
 * The Zod schemas of everything that clients say, shared by REST, WebSocket, MQTT and their
 * documents.
 * Strings that Postgres cannot store (U+0000) or that are not Unicode (lone surrogates) are
 * refused here, and so is JSON that is too large or too deep.
 */

const MAX_DEPTH = 32;
const encoder = new TextEncoder();

/** Length in bytes of UTF-8. */
export function utf8Length(text: string): number {
  return encoder.encode(text).length;
}

/** True when Postgres can store the string as it is. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

function isStorableJson(value: unknown, depth = 0): boolean {
  if (typeof value === "string") return isStorable(value);
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return value !== undefined;
  if (depth >= MAX_DEPTH) return false;
  return Object.entries(value).every(([key, inner]) =>
    isStorable(key) && isStorableJson(inner, depth + 1)
  );
}

/** A string of at most `max` characters that can be stored. */
export function storableString(min: number, max: number) {
  const error = "holds characters that cannot be stored";
  return z.string().min(min).max(max).refine(isStorable, { error, abort: true });
}

/** Digits that Postgres writes beyond those of JSON: its jsonb holds 1e300 with all its zeros. */
function zeros(value: unknown, depth = 0): number {
  if (typeof value === "number") return Math.abs(Number(String(value).split("e")[1] ?? 0));
  if (typeof value !== "object" || value === null || depth >= MAX_DEPTH) return 0;
  return Object.values(value).reduce((sum: number, inner) => sum + zeros(inner, depth + 1), 0);
}

/**
 * An object whose members have names and values of these forms, which `shape` says as a JSON Schema.
 * Unlike with z.record(), a member called `__proto__` is one like any other; it stays a member.
 */
export function recordOf<V>(
  name: z.ZodType<string>,
  value: z.ZodType<V>,
  shape: { propertyNames: z.core.JSONSchema.BaseSchema; additionalProperties: object },
): z.ZodType<Record<string, V>> {
  const schema = z.any().superRefine((input, context) => {
    // What is refined further has this form.
    const refuse = (message: string, path: PropertyKey[] = []) =>
      context.addIssue({ code: "custom", message, path, continue: false });
    if (!isObject(input)) return refuse("must be an object");
    for (const [key, inner] of Object.entries(input)) {
      const issue = (name.safeParse(key).error ?? value.safeParse(inner).error)?.issues[0];
      if (issue !== undefined) return refuse(issue.message, [key, ...issue.path]);
    }
  });
  return schema.meta({ type: "object", ...shape });
}

function boundedJson<T extends Json>(schema: z.ZodType<T>, maxBytes: number) {
  return schema
    .refine(
      (value) => isStorableJson(value),
      `holds what cannot be stored, or is nested deeper than ${MAX_DEPTH}`,
    )
    .refine(
      (value) => utf8Length(JSON.stringify(value)) + zeros(value) <= maxBytes,
      `is larger than ${maxBytes} bytes as JSON with its numbers written out`,
    );
}

function jsonObject(maxBytes: number) {
  const shape = {
    propertyNames: { type: "string", maxLength: 64 },
    additionalProperties: {},
  } as const;
  const object = recordOf<Json>(z.string().max(64), z.any(), shape);
  return boundedJson(object, maxBytes).meta({ type: "object", ...shape });
}

/** An id made by this server. */
export const idSchema = z.string().refine(isId, "is not an id").meta({ format: "uuid" });
/** The sender's own id of a message. */
export const clientIdSchema = z.string().regex(
  /^[A-Za-z0-9._:-]{1,64}$/,
  "must be 1 to 64 of A-Z a-z 0-9 . _ : -",
);
/** The number of a log entry, or 0 for "from the beginning". */
export const seqSchema = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
/** A message's text. */
export const textSchema = z.string().min(1).refine(isStorable, "holds what cannot be stored")
  .refine(
    (text) =>
      text.length * 3 <= SIZES.textBytes ||
      text.length <= SIZES.textBytes && utf8Length(text) <= SIZES.textBytes,
    `is longer than ${SIZES.textBytes} bytes of UTF-8`,
  );
/** A message's data: any JSON value but null. */
export const dataSchema = boundedJson(
  z.any().refine((v) => v !== null && v !== undefined, "must not be null") as z.ZodType<Json>,
  SIZES.dataBytes,
).meta({ description: "Any JSON value but null" });
/** The application's own fields. */
export const metadataSchema = jsonObject(SIZES.metadataBytes);
/** State of a device, wished for or reported: an object of JSON. */
export const stateSchema = jsonObject(SIZES.stateBytes);
/** A JSON Schema, which data_schema.ts looks at more closely. */
export const dataSchemaSchema = jsonObject(SIZES.dataSchemaBytes);
/** Characters that break a line, or turn the writing direction of what stands around a name. */
const UNFIT_FOR_NAMES = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
/** Something of which a reader sees that it is there; U+2800 is a blank. */
const VISIBLE = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\u2800]/u;
/** Names of people, devices and rooms. */
export const nameSchema = storableString(1, SIZES.nameChars)
  .refine((name) => name.trim() === name && name !== "", "must not begin or end with space")
  .refine((name) => !UNFIT_FOR_NAMES.test(name), {
    error: "must not hold control characters, or ones that turn the writing direction",
    abort: true,
  })
  .refine((name) => VISIBLE.test(name), "must show something")
  .meta({
    description:
      "Shows something, begins and ends without space, and holds no control characters " +
      "and none that turn the writing direction",
  });
/** The epoch of a cursor. */
export const epochSchema = z.string().min(1).max(64);

const content = {
  text: textSchema.exactOptional(),
  data: dataSchema.exactOptional(),
  metadata: metadataSchema.exactOptional(),
};
/** The fields of a new message. */
export const bodyFields = {
  ...content,
  replyTo: seqSchema.min(1).exactOptional(),
  attachments: attachmentsSchema.exactOptional(),
};
/** The fields of an edit; it leaves the attachments as they are. */
export const editFields = { ...content, clientId: clientIdSchema.exactOptional() };

/** True when there is something to say: what a refinement asks of a new message, and of an edit. */
export function hasContent(body: Pick<MessageBody, "text" | "data" | "attachments">): boolean {
  const { text, data, attachments = [] } = body;
  return text !== undefined || data !== undefined || attachments.length > 0;
}
/** What an edit without content is told. */
export const NO_CONTENT = "give text, data, or both";
/** The same as a part of a JSON Schema. */
export const NEEDS_CONTENT = { anyOf: [{ required: ["text"] }, { required: ["data"] }] };
/** What a message without content is told. */
export const NO_BODY = "give text, data or attachments";
/** The same as a part of a JSON Schema. */
export const NEEDS_BODY = {
  anyOf: [
    ...NEEDS_CONTENT.anyOf,
    { required: ["attachments"], properties: { attachments: { minItems: 1 } } },
  ],
};

const frameId = storableString(1, 64);
/** Every frame that a client may send. */
export const CLIENT_FRAMES = [
  z.strictObject({ type: z.literal("auth"), id: frameId, token: z.string().max(8192) }),
  z.strictObject({
    type: z.literal("join"),
    id: frameId,
    room: idSchema,
    epoch: epochSchema.exactOptional(),
    after: seqSchema.exactOptional(),
  }),
  z.strictObject({ type: z.literal("leave"), id: frameId, room: idSchema }),
  z.strictObject({
    type: z.literal("send"),
    id: frameId,
    room: idSchema,
    clientId: clientIdSchema,
    ...bodyFields,
  }).refine(hasContent, NO_BODY).meta(NEEDS_BODY),
  z.strictObject({
    type: z.literal("edit"),
    id: frameId,
    room: idSchema,
    seq: seqSchema,
    ...editFields,
  }).refine(hasContent, NO_CONTENT).meta(NEEDS_CONTENT),
  z.strictObject({
    type: z.literal("delete"),
    id: frameId,
    room: idSchema,
    seq: seqSchema,
    clientId: clientIdSchema.exactOptional(),
  }),
  z.strictObject({ type: z.literal("typing"), room: idSchema }),
  z.strictObject({
    type: z.literal("read"),
    id: frameId.exactOptional(),
    room: idSchema,
    seq: seqSchema,
  }),
  z.strictObject({ type: z.literal("ping") }),
] as const;

/** A frame from a client. */
export const frameSchema: z.ZodType<ClientFrame> = z.discriminatedUnion("type", CLIENT_FRAMES);
/** The frame types that this server knows. */
export const FRAME_TYPES: ReadonlySet<string> = new Set(
  CLIENT_FRAMES.map((frame) => [...frame.shape.type.values][0] as string),
);
