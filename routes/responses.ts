import { z } from "zod";
import {
  epoch,
  id,
  logEntry,
  memberPresence,
  message,
  presenceState,
  publicPrincipal,
  roomRole,
  roomSettings,
  seq,
  timestamp,
} from "../lib/entry_schemas.ts";
import type { JoinedRoom, Room, RoomPresence } from "../lib/protocol.ts";

/** What the server answers over HTTP, in the manner of lib/entry_schemas.ts. */

const roomFields = {
  id,
  kind: z.enum(["group", "direct"]),
  ...roomSettings,
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

/** Who in a room is online. */
export const roomPresence = z.object({
  state: presenceState,
  items: z.array(memberPresence).meta({
    description: "Everybody, people and devices; empty unless `known`",
  }),
}).meta({ id: "RoomPresence" });

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
[true, true, true] satisfies [
  Equal<z.output<typeof room>, Room>,
  Equal<z.output<typeof roomPresence>, RoomPresence>,
  Equal<z.output<typeof joinedRoom>, JoinedRoom>,
];
