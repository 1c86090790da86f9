import { z } from "zod";
import { attachmentsSchema } from "./attachment_schemas.ts";
import { desiredState, epoch, id, logEntry, metadata, seq, timestamp } from "./entry_schemas.ts";
import { errorFields } from "./error_schemas.ts";
import type { SendOk } from "./protocol.ts";
import {
  bodyFields,
  clientIdSchema,
  dataSchema,
  epochSchema,
  hasContent,
  idSchema,
  NEEDS_BODY,
  NO_BODY,
  recordOf,
  seqSchema,
  stateSchema,
  storableString,
  textSchema,
} from "./schemas.ts";

/**
 * What devices say over MQTT, as the bridge checks it, and what the bridge says to them. A topic
 * goes by its last level that is a name: `events` for `rooms/{room}/events`.
 */

/** A message of a device with more than its text. */
export const deviceEnvelope = z.strictObject({
  clientId: clientIdSchema.exactOptional(),
  ...bodyFields,
}).refine(hasContent, NO_BODY).meta({
  id: "DeviceEnvelope",
  description: "An object with other keys than these is no envelope, but text",
  ...NEEDS_BODY,
});

/** A device asks for entries of a room's log. */
export const deviceRequest = z.strictObject({
  requestId: storableString(1, 64).meta({ description: "Comes back with the response" }),
  type: z.literal("log"),
  room: idSchema,
  epoch: epochSchema.exactOptional(),
  after: seqSchema.default(0),
  limit: z.number().int().min(1).max(200).default(50),
}).meta({ id: "DeviceRequest" });

/** Birth and last will; anything but a JSON object says nothing of whether the device is there. */
export const deviceStatus = z.looseObject({
  online: z.boolean().meta({ description: "false in the last will" }),
  session: z.union([storableString(1, 64), z.number().int().min(0)]).exactOptional().meta({
    description:
      "The same in the birth and the last will of one connection; a number that rises, " +
      "or a string that sorts later, with each",
  }),
}).meta({ id: "DeviceStatus" });

const METRIC = /^[A-Za-z0-9_.-]{1,64}$/;
/** Name of a metric. */
export const metricName = z.string().regex(METRIC, "must be 1 to 64 of A-Z a-z 0-9 _ . -");
/** Value of a reading: numbers have a series, the others only a latest value. */
export const readingValue = z.union([z.number(), z.boolean(), storableString(0, 256)], {
  error: "must be a number, true, false or a text of up to 256 characters",
});

/** Readings with their times. */
export const timedTelemetry = z.strictObject({
  readings: z.array(z.strictObject({
    metric: metricName,
    value: readingValue,
    at: z.iso.datetime({ offset: true, error: "must be a time with its offset (RFC 3339)" })
      .exactOptional().meta({ description: "When it was taken; default: when it comes" }),
  })).min(1).max(200),
});
const READINGS_SHAPE = {
  propertyNames: { type: "string", pattern: METRIC.source },
  additionalProperties: {
    anyOf: [
      { type: "number" },
      { type: "boolean" },
      { type: "string", minLength: 0, maxLength: 256 },
    ],
  },
  minProperties: 1,
  maxProperties: 64,
} as const;
/** Readings of now, by metric. */
export const presentTelemetry = recordOf(metricName, readingValue, READINGS_SHAPE).refine(
  (readings) => Object.keys(readings).length >= 1 && Object.keys(readings).length <= 64,
  "between 1 and 64 metrics belong together",
).meta({ type: "object", ...READINGS_SHAPE });

/** What a device measures. */
export const deviceTelemetry = z.union([timedTelemetry, presentTelemetry])
  .meta({ id: "DeviceTelemetry" });

/** What a device is, as a whole: each publish replaces the one before. */
export const deviceReported = stateSchema
  .meta({ id: "DeviceReported", type: "object", description: "At most 8 KiB" });

/** What a device shall be, and what of that is left to do. */
export const deviceDesired = z.object({
  ...desiredState.shape,
  delta: metadata.exactOptional().meta({
    description: "What of `desired` is not so in what the device has reported, as a merge patch " +
      "(RFC 7386); absent: nothing is to do",
  }),
}).meta({ id: "DeviceDesired" });

/** What a device shall do. */
export const deviceCommand = z.object({
  commandId: id.meta({ description: "The same when it is published again: obey once" }),
  room: id,
  seq: seq.meta({ description: "The message that holds the command" }),
  name: z.string(),
  args: metadata,
  from: z.object({ id, name: z.string() }).meta({ description: "Whoever sent it" }),
  expiresAt: timestamp.meta({ description: "Not to be obeyed after that" }),
}).meta({ id: "DeviceCommand" });

/** What became of a command; shown in the room as the answer to it. */
export const deviceReply = z.strictObject({
  commandId: idSchema,
  ok: z.boolean().default(true).meta({ description: "false: it could not be done" }),
  text: textSchema.exactOptional(),
  data: dataSchema.exactOptional(),
  attachments: attachmentsSchema.exactOptional(),
}).meta({ id: "DeviceReply" });

/** What a send is answered with once it is stored. */
export const deviceReceipt = z.object({
  clientId: clientIdSchema,
  room: id,
  seq,
  at: timestamp,
  duplicate: z.boolean().meta({ description: "It had been stored before, with this seq" }),
}).meta({ id: "DeviceReceipt", description: "The message is stored" });

/** What a publish is answered with that is refused. */
export const deviceError = z.object({
  ...errorFields,
  clientId: clientIdSchema.exactOptional().meta({ description: "Where it could be known" }),
  room: id.exactOptional(),
  topic: z.string().meta({ description: "Where the device published" }),
}).meta({ id: "DeviceError", description: "The publish is refused for good" });

/** How far the events of a room have come. */
export const deviceHead = z.object({ epoch, seq }).meta({ id: "DeviceHead" });

const requestId = z.string();
/** A page of a room's log, oldest first. */
export const deviceLogPage = z.object({
  requestId,
  room: id,
  epoch,
  head: seq.meta({ description: "The newest entry when this was read" }),
  entries: z.array(logEntry),
  hasMore: z.boolean().meta({ description: "Ask again, after the last of these entries" }),
}).meta({ id: "DeviceLogPage" });

/** A request that is refused. */
export const deviceRefusal = z.object({ requestId, error: z.object(errorFields) })
  .meta({ id: "DeviceRefusal" });

/** What devices publish. */
export const DEVICE_SAYS = {
  send: z.union([deviceEnvelope, textSchema]),
  requests: deviceRequest,
  status: deviceStatus,
  telemetry: deviceTelemetry,
  reported: deviceReported,
  replies: deviceReply,
} as const;

/** What devices receive; an empty `head` or `desired` clears the retained one. */
export const DEVICE_HEARS = {
  events: logEntry,
  head: deviceHead,
  desired: deviceDesired,
  commands: deviceCommand,
  receipts: deviceReceipt,
  // A device that names a response topic has the receipts of its sends there too
  responses: z.union([deviceLogPage, deviceRefusal, deviceReceipt]),
  errors: deviceError,
} as const;

type Equal<A, B> = [A, B] extends [B, A] ? true : never;
true satisfies Equal<z.output<typeof deviceReceipt>, SendOk & { clientId: string; room: string }>;
