import type { Principal } from "../auth/principal.ts";
import { ConfabError } from "../errors.ts";
import { newId } from "../ids.ts";
import type { JoinedRoom, Metadata, Room, RoomId } from "../protocol.ts";
import { updateRoom } from "../store/changes.ts";
import {
  createRoom as storeRoom,
  listJoinedRooms,
  listPublicRooms,
  openDirect,
  raiseRead,
  readRoomAs,
} from "../store/rooms.ts";
import { announceChange } from "./announce.ts";
import type { ChatContext } from "./context.ts";
import { decodeCursor, type List, listOf } from "../lists.ts";
import { afterCommit, refuseUnlessDone } from "./outcome.ts";

/** What a new room is made of. */
export interface NewRoom {
  name: string;
  visibility: "public" | "private";
  topic?: string;
  metadata?: Metadata;
}

/** Makes a room and its owner its first member. Guests and devices may not: `forbidden`. */
export async function createRoom(
  context: ChatContext,
  creator: Principal,
  room: NewRoom,
): Promise<JoinedRoom> {
  if (creator.kind !== "user") throw new ConfabError("forbidden");
  const id = newId();
  await storeRoom(context.db, {
    id,
    creator: creator.id,
    name: room.name,
    topic: room.topic ?? "",
    visibility: room.visibility,
    metadata: JSON.stringify(room.metadata ?? {}),
  });
  return await changedRoom(context, creator, id);
}

/** Gets or makes the direct room with `peer`. Throws `not_found` unless both are users. */
export async function directRoom(
  context: ChatContext,
  actor: Principal,
  peer: string,
): Promise<{ room: JoinedRoom; created: boolean }> {
  const { outcome, room } = await openDirect(context.db, newId(), actor.id, peer);
  refuseUnlessDone(outcome);
  return { room: await changedRoom(context, actor, room!), created: outcome === "created" };
}

/** A room as the viewer may see it: with role, cursor and unread count for members. */
export async function getRoom(
  context: ChatContext,
  viewer: Principal,
  room: RoomId,
): Promise<Room | JoinedRoom> {
  const found = await readRoomAs(context.db, room, viewer.id);
  if (found === undefined) throw new ConfabError("not_found");
  return found;
}

/**
 * The room as the member sees it who has just changed it. Throws `not_a_member` or `not_found` when
 * that member has been removed meanwhile, and `outcome_unknown` when the database went away.
 */
export async function changedRoom(
  context: ChatContext,
  member: Principal,
  room: RoomId,
): Promise<JoinedRoom> {
  const found = await afterCommit(getRoom(context, member, room));
  if (!("role" in found)) throw new ConfabError("not_a_member");
  return found;
}

/** The rooms the viewer is a member of. */
export async function listMyRooms(
  context: ChatContext,
  viewer: Principal,
  page: { cursor?: string; limit: number },
): Promise<List<JoinedRoom>> {
  const after = page.cursor === undefined ? null : decodeCursor(page.cursor, 1)[0]!;
  const rooms = await listJoinedRooms(context.db, viewer.id, after, page.limit + 1);
  return listOf(rooms, page.limit, (room) => [room.id]);
}

/** Public rooms whose name contains `q`. Devices see none. */
export async function findPublicRooms(
  context: ChatContext,
  viewer: Principal,
  q: string,
  page: { cursor?: string; limit: number },
): Promise<List<Room | JoinedRoom>> {
  const [name, id] = page.cursor === undefined ? [] : decodeCursor(page.cursor, 2);
  const after = name === undefined || id === undefined ? null : { name, id };
  const rooms = viewer.kind === "device"
    ? []
    : await listPublicRooms(context.db, viewer.id, q, after, page.limit + 1);
  return listOf(rooms, page.limit, (room) => [room.name, room.id]);
}

/** Changes settings of a room; for its owners and admins. */
export async function changeRoom(
  context: ChatContext,
  actor: Principal,
  room: RoomId,
  settings: Partial<NewRoom>,
): Promise<JoinedRoom> {
  const { outcome, seq } = await updateRoom(context.db, room, actor.id, {
    name: settings.name ?? null,
    topic: settings.topic ?? null,
    visibility: settings.visibility ?? null,
    metadata: settings.metadata === undefined ? null : JSON.stringify(settings.metadata),
  });
  refuseUnlessDone(outcome);
  if (outcome === "ok") await announceChange(context, room, seq!);
  return await changedRoom(context, actor, room);
}

/**
 * Raises the reader's cursor, never back and never beyond the head, and tells the room.
 * Throws `not_found` for those who are not members.
 */
export async function markRead(
  context: ChatContext,
  reader: Principal,
  room: RoomId,
  seq: number,
): Promise<{ read: number; unread: number }> {
  const progress = await raiseRead(context.db, room, reader.id, seq);
  if (progress === undefined) throw new ConfabError("not_found");
  const { read, unread, moved } = progress;
  if (moved) {
    const { id, kind, name } = reader;
    context.bus.signal(room, { type: "receipt", principal: { id, kind, name }, read });
  }
  return { read, unread };
}

/** Tells the room that somebody is typing; the transport has checked that they joined it. */
export function signalTyping(context: ChatContext, { id, kind, name }: Principal, room: RoomId) {
  context.bus.signal(room, { type: "typing", principal: { id, kind, name } });
}
