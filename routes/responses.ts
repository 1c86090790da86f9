import { z } from "zod";
import type {
  JoinedRoom,
  Json,
  LogEntry,
  Member,
  Message,
  Metadata,
  PublicPrincipal,
  Room,
} from "../lib/protocol.ts";

/**
 * What the server says, as Zod schemas: the source of the document's components, and what tests
 * hold answers against. The types below the schemas keep them equal to the wire contract.
 * Objects are open, because clients ignore fields that they do not know.
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
const roomRole = z.enum(["owner", "admin", "member", "reader"]);
const kind = z.enum(["user", "guest", "device"]);

/** A person or device as others see it. */
export const publicPrincipal = z.object({ id, kind, name: z.string() })
  .meta({ id: "PublicPrincipal", description: "A person or device as others see it" });

const attachment = z.object({ id, name: z.string(), type: z.string(), size: z.number() })
  .meta({ id: "Attachment" });

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
}).meta({
  id: "Message",
  description: "`(room, seq)` is its identity. A deleted one keeps its seq and loses its content.",
});

/** A membership. */
export const member = z.object({ principal: publicPrincipal, role: roomRole, joinedSeq: seq })
  .meta({ id: "Member" });

const settings = {
  name: z.string(),
  topic: z.string(),
  visibility: z.enum(["public", "private"]),
  metadata,
};
const roomFields = {
  id,
  kind: z.enum(["group", "direct"]),
  ...settings,
  head: seq.meta({ description: "The newest entry of the log" }),
  floor: seq.meta({ description: "Retention removed entries up to this one" }),
  createdAt: timestamp,
};

/** A room as somebody sees it who is not in it. */
export const room = z.object(roomFields).meta({ id: "Room" });

/** A room as its member sees it. */
export const joinedRoom = z.object({
  ...roomFields,
  role: roomRole,
  read: seq.meta({ description: "Read cursor: everything up to this seq has been seen" }),
  unread: z.number().int().min(0),
  peer: publicPrincipal.exactOptional().meta({ description: "The other person of a direct room" }),
}).meta({ id: "JoinedRoom" });

/** A room, with one's own standing when one is a member. */
export const anyRoom = z.union([joinedRoom, room]);

const base = { actor: publicPrincipal, at: timestamp };
const event = z.discriminatedUnion("type", [
  z.object({ type: z.literal("message.created"), ...base, message }),
  z.object({
    type: z.enum(["message.edited", "message.deleted"]),
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
  z.object({ type: z.literal("room.updated"), ...base, settings: z.object(settings) }),
]).meta({
  id: "LogEvent",
  description: "A change carries the resulting value, never a difference. Skip unknown types.",
});

/** An entry of a room's log. */
export const logEntry = z.object({ room: id, epoch, seq, event }).meta({
  id: "LogEntry",
  description: "One entry of a room's log: numbers have no gaps, and everybody sees one order.",
});

const page = {
  head: z.number().int().meta({ description: "The newest entry when this was read" }),
  epoch,
  hasMore: z.boolean(),
};
/** Messages, oldest first. */
export const messagePage = z.object({ messages: z.array(message), ...page })
  .meta({ id: "MessagePage" });
/** Log entries, oldest first. */
export const logPage = z.object({ entries: z.array(logEntry), ...page }).meta({ id: "LogPage" });

/** RFC 9457. */
export const problem = z.object({
  type: z.string().meta({ description: "Leads to the description of the code" }),
  title: z.string(),
  status: z.number().int(),
  code: z.string().meta({ description: "Stable; programs act on it" }),
  detail: z.string(),
  requestId: z.string(),
  retryAfter: z.number().exactOptional().meta({ description: "Seconds" }),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).exactOptional()
    .meta({ description: "What is wrong with which field; paths are dotted" }),
}).meta({ id: "Problem", description: "An error (RFC 9457)" });

/** What the error handler writes. */
export type Problem = z.output<typeof problem>;

/** One page of a list. */
export function listOf<T extends z.ZodType>(item: T) {
  return z.object({
    items: z.array(item),
    next: z.string().nullable().meta({ description: "Continues the list; null at its end" }),
  });
}

type Equal<A, B> = [A, B] extends [B, A] ? true : never;
[true, true, true, true, true, true] satisfies [
  Equal<z.output<typeof message>, Message>,
  Equal<z.output<typeof logEntry>, LogEntry>,
  Equal<z.output<typeof room>, Room>,
  Equal<z.output<typeof joinedRoom>, JoinedRoom>,
  Equal<z.output<typeof member>, Member>,
  Equal<z.output<typeof publicPrincipal>, PublicPrincipal>,
];
