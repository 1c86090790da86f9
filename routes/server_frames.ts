import { z } from "zod";
import {
  epoch,
  id,
  logEntry,
  memberPresence,
  message,
  presenceState,
  publicPrincipal,
  reportedFields,
  roomRole,
  seq,
  timestamp,
} from "../lib/entry_schemas.ts";
import { errorCode, errorFields, fieldErrors } from "../lib/error_schemas.ts";
import { telemetrySignal } from "../lib/telemetry_schemas.ts";
import type { ClientFrame, JoinOk, SendOk, ServerFrame } from "../lib/protocol.ts";

/**
 * Everything that the server says on a WebSocket, as Zod schemas: the source of the AsyncAPI
 * document, and what tests hold real frames against. The types at the end keep them equal to the
 * wire contract. Objects are open, because clients ignore fields that they do not know.
 */

const count = z.number().int().min(0);
const limits = z.object({
  sendsPerSecond: count,
  sendBurst: count,
  joinedRooms: count,
  socketsPerPrincipal: count,
  socketsPerAddress: count,
  frameBytes: count,
  textBytes: count,
  dataBytes: count,
  replayEntries: count.meta({ description: "Entries that one join replays at most" }),
  presenceMembers: count.meta({ description: "Members of the largest rooms that have presence" }),
}).meta({ id: "Limits" });

/** Where a room stands when it is joined, on a socket or a stream. */
export const joinFields = {
  room: id,
  epoch,
  head: seq.meta({ description: "The newest entry; what comes live has a higher seq" }),
  read: seq.meta({ description: "One's read cursor" }),
  unread: count,
  role: roomRole.nullable().meta({ description: "null when one only looks into a public room" }),
  recovered: z.boolean().exactOptional().meta({
    description: "Only when a cursor was given. true: everything after it follows. false: load " +
      "the room again; live begins after `head`.",
  }),
};

const ok = { type: z.literal("ok"), id: z.string().meta({ description: "That of the request" }) };
const progress = z.object({
  ...ok,
  read: seq.meta({ description: "The read cursor, which only rises" }),
  unread: count,
});
const changed = z.object({
  ...ok,
  seq: seq.meta({ description: "The entry that holds the change" }),
  duplicate: z.boolean().meta({ description: "The change had been made before" }),
  message,
});

/** The `ok` of every request, by the type of its frame. */
export const OK_FRAMES = {
  auth: z.object({
    ...ok,
    expiresAt: timestamp.meta({ description: "When the new token ends" }),
  }),
  join: z.object({ ...ok, ...joinFields }),
  leave: z.object({ ...ok, room: id }),
  send: z.object({
    ...ok,
    seq,
    at: timestamp,
    duplicate: z.boolean().meta({ description: "It had been stored before, with this seq" }),
  }),
  edit: changed,
  delete: changed,
  read: progress,
} satisfies Record<Exclude<ClientFrame["type"], "typing" | "ping">, z.ZodType>;

/** A short-lived fact about a room: never stored, never replayed, may be lost. */
export const signalFrame = z.object({
  type: z.literal("signal"),
  room: id,
  signal: z.discriminatedUnion("type", [
    z.object({ type: z.literal("typing"), principal: publicPrincipal }),
    z.object({ type: z.literal("receipt"), principal: publicPrincipal, read: seq }),
    z.object({
      type: z.literal("presence"),
      state: presenceState,
      changes: z.array(memberPresence).meta({
        description: "Everybody when the state was not `known` before; empty when it is not now",
      }),
    }),
    z.object({ type: z.literal("state"), ...reportedFields }),
    telemetrySignal,
    z.object({ type: z.literal("missed") }).meta({
      description: "States or readings of devices were left out for a slow reader: read them again",
    }),
  ]),
});

/** The frames of the server by their type; what an `ok` says besides its id is in OK_FRAMES. */
export const SERVER_FRAMES = {
  ready: z.object({
    type: z.literal("ready"),
    connection: id,
    principal: publicPrincipal,
    epoch,
    limits,
    features: z.array(z.string()).meta({ examples: [["batch", "resume", "heads", "presence"]] }),
    expiresAt: timestamp,
  }),
  ok: z.looseObject(ok),
  error: z.object({
    type: z.literal("error"),
    id: z.string().exactOptional().meta({ description: "That of the request, where it had one" }),
    ...errorFields,
    errors: fieldErrors.exactOptional(),
  }),
  event: z.object({ type: z.literal("event"), ...logEntry.shape }),
  signal: signalFrame,
  pong: z.object({ type: z.literal("pong") }),
  heads: z.object({
    type: z.literal("heads"),
    rooms: z.record(z.string(), seq).meta({ description: "The changed heads by room" }),
  }),
  evicted: z.object({ type: z.literal("evicted"), room: id, code: errorCode }),
  expiring: z.object({
    type: z.literal("expiring"),
    at: timestamp.meta({ description: "When the access token ends" }),
  }),
} satisfies Record<ServerFrame["type"], z.ZodType>;

type Equal<A, B> = [A, B] extends [B, A] ? true : never;
type Frames = typeof SERVER_FRAMES;
type Ok<T extends keyof typeof OK_FRAMES> = z.output<(typeof OK_FRAMES)[T]>;
type Answer = { type: "ok"; id: string };
[true, true, true, true] satisfies [
  Equal<{ [T in keyof Frames]: z.output<Frames[T]> }[keyof Frames], ServerFrame>,
  Equal<
    { [T in keyof Frames]: z.output<Frames[T]> },
    { [T in ServerFrame["type"]]: Extract<ServerFrame, { type: T }> }
  >,
  Equal<Ok<"join">, Answer & JoinOk>,
  Equal<Ok<"send">, Answer & SendOk>,
];
