import { z } from "zod";
import { attachmentFields } from "./attachment_schemas.ts";
import type {
  DesiredState,
  DeviceAlert,
  DeviceState,
  Json,
  LogEntry,
  Member,
  MemberPresence,
  Message,
  MessageCommand,
  Metadata,
  PresenceState,
  PublicPrincipal,
} from "./protocol.ts";

/**
 * The log as Confab tells it, over every protocol, in Zod schemas: the source of what the OpenAPI
 * and AsyncAPI documents say, and what tests hold answers against. The types below the schemas
 * keep them equal to the wire contract. Objects are open, because clients ignore fields that they
 * do not know; what clients themselves say is checked by schemas.ts.
 */

/** An id made by this server. */
export const id = z.string().meta({
  format: "uuid",
  example: "0197a3c2-9f10-7c44-8a6b-5d0f2e9b7c11",
});
/** RFC 3339 in UTC. */
export const timestamp = z.string().meta({
  format: "date-time",
  example: "2026-03-01T12:00:00.000Z",
});
/** The number of a log entry. */
export const seq = z.number().int().min(0);
/** Names this history of the database. */
export const epoch = z.string().meta({ example: "3f2a91c07be4" });
/** Any JSON value. */
export const json: z.ZodType<Json> = z.any();
/** The application's own fields. */
export const metadata: z.ZodType<Metadata> = z.record(z.string(), z.any());
/** What one may do in a room. */
export const roomRole = z.enum(["owner", "admin", "member", "reader"]);
const kind = z.enum(["user", "guest", "device"]);

/** A person or device as others see it. */
export const publicPrincipal = z.object({ id, kind, name: z.string() })
  .meta({ id: "PublicPrincipal", description: "A person or device as others see it" });

const attachment = z.object(attachmentFields).meta({ id: "Attachment" });

/** What a message asks a device to do, and what became of it. */
export const messageCommand = z.object({
  id,
  device: id,
  name: z.string(),
  args: metadata,
  status: z.enum(["queued", "done", "failed", "expired", "cancelled"])
    .meta({ description: "Everything but `queued` is final" }),
  expiresAt: timestamp.meta({ description: "Until then the device may answer" }),
  answer: seq.exactOptional().meta({ description: "The message with which the device answered" }),
}).meta({ id: "MessageCommand" });

/** What a device shall be. */
export const desiredState = z.object({
  version: z.number().int().min(0).meta({
    description: "Rises with each change: the seq of the entry that holds it",
  }),
  desired: metadata,
}).meta({ id: "DesiredState" });

/** What a device has reported, and what is left to do. */
export const reportedFields = {
  device: publicPrincipal,
  desiredVersion: z.number().int().min(0).meta({ description: "0: nothing was ever wished for" }),
  reported: metadata.exactOptional().meta({ description: "Absent: the device says nothing" }),
  reportedVersion: z.number().int().min(0).meta({ description: "Counts the changes" }),
  reportedAt: timestamp.exactOptional(),
  delta: metadata.meta({
    description: "What of `desired` is not so in `reported`, as a merge patch (RFC 7386)",
  }),
};
/** What a device in a room shall be, and what it says that it is. */
export const deviceState = z.object({
  ...reportedFields,
  desired: metadata.exactOptional().meta({ description: "Absent: nothing was ever wished for" }),
  desiredAt: timestamp.exactOptional(),
  desiredBy: publicPrincipal.exactOptional(),
}).meta({ id: "DeviceState" });

/** Something about a device that its room should know. */
export const deviceAlert = z.object({
  kind: z.enum(["silent", "back"]),
  lastSeen: timestamp.exactOptional().meta({ description: "Absent: it was never heard" }),
  expectedSeconds: z.number().exactOptional(),
}).meta({ id: "DeviceAlert" });

/** A message. */
export const message = z.object({
  room: id,
  seq,
  sender: publicPrincipal,
  at: timestamp,
  clientId: z.string().exactOptional().meta({ description: "Only in what its sender receives" }),
  text: z.string().exactOptional(),
  data: json.exactOptional(),
  metadata: metadata.exactOptional(),
  replyTo: seq.exactOptional(),
  attachments: z.array(attachment),
  editedAt: timestamp.exactOptional(),
  deletedAt: timestamp.exactOptional(),
  updatedSeq: seq.meta({ description: "The entry that last changed it; its own seq at first" }),
  command: messageCommand.exactOptional(),
}).meta({
  id: "Message",
  description: "`(room, seq)` is its identity. A deleted one keeps its seq and loses its content.",
});

/** A membership. */
export const member = z.object({ principal: publicPrincipal, role: roomRole, joinedSeq: seq })
  .meta({ id: "Member" });

/** What is known of who is online in a room. */
export const presenceState = z.enum(["known", "unknown", "off"]).meta({
  description:
    "unknown: the nodes cannot tell each other; off: the room has more members, people " +
    "and devices, than the limit `presenceMembers`",
});
/** Whether somebody in a room is connected; a device, whether it says so. */
export const memberPresence = z.object({
  principal: id.meta({ description: "The id of the member" }),
  state: z.enum(["online", "offline"]),
  unstable: z.literal(true).exactOptional()
    .meta({ description: "Devices only: it keeps coming and going, and not each time is told" }),
  lastSeen: timestamp.exactOptional()
    .meta({ description: "Devices only: when it was last heard, up to 15 seconds late" }),
}).meta({ id: "MemberPresence" });

/** The settings of a room. */
export const roomSettings = {
  name: z.string(),
  topic: z.string(),
  visibility: z.enum(["public", "private"]),
  metadata,
};

const base = { actor: publicPrincipal, at: timestamp };
/** What a log entry says happened. */
export const logEvent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("message.created"), ...base, message }),
  z.object({
    type: z.enum(["message.edited", "message.deleted", "command.updated"]),
    ...base,
    target: seq.meta({ description: "The message that changed" }),
    message,
  }),
  z.object({ type: z.enum(["member.joined", "member.role"]), ...base, member }),
  z.object({
    type: z.enum(["member.left", "member.removed"]),
    ...base,
    principal: publicPrincipal,
  }),
  z.object({ type: z.literal("room.updated"), ...base, settings: z.object(roomSettings) }),
  z.object({
    type: z.literal("device.state"),
    ...base,
    device: publicPrincipal,
    state: desiredState,
  }),
  z.object({
    type: z.literal("device.alert"),
    ...base,
    device: publicPrincipal,
    alert: deviceAlert,
  }),
]).meta({
  id: "LogEvent",
  description: "A change carries the resulting value, never a difference. Skip unknown types.",
});

/** An entry of a room's log. */
export const logEntry = z.object({ room: id, epoch, seq, event: logEvent }).meta({
  id: "LogEntry",
  description: "One entry of a room's log: numbers have no gaps, and everybody sees one order.",
});

type Equal<A, B> = [A, B] extends [B, A] ? true : never;
[true, true, true, true, true, true, true, true, true, true] satisfies [
  Equal<z.output<typeof message>, Message>,
  Equal<z.output<typeof logEntry>, LogEntry>,
  Equal<z.output<typeof messageCommand>, MessageCommand>,
  Equal<z.output<typeof desiredState>, DesiredState>,
  Equal<z.output<typeof deviceState>, DeviceState>,
  Equal<z.output<typeof deviceAlert>, DeviceAlert>,
  Equal<z.output<typeof member>, Member>,
  Equal<z.output<typeof publicPrincipal>, PublicPrincipal>,
  Equal<z.output<typeof presenceState>, PresenceState>,
  Equal<z.output<typeof memberPresence>, MemberPresence>,
];
