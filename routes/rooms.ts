import { z } from "zod";
import { joinRoom, leaveRoom } from "../lib/chat/members.ts";
import {
  changeRoom,
  createRoom,
  directRoom,
  findPublicRooms,
  getRoom,
  listMyRooms,
  markRead,
} from "../lib/chat/rooms.ts";
import { seq } from "../lib/entry_schemas.ts";
import { SIZES } from "../lib/protocol.ts";
import { metadataSchema, nameSchema, seqSchema, storableString } from "../lib/schemas.ts";
import type { Api } from "./api.ts";
import { idParams, limit, next, pageOf, roomParams } from "./params.ts";
import { anyRoom, joinedRoom, listOf } from "./responses.ts";

const topic = storableString(0, SIZES.topicChars);
const visibility = z.enum(["public", "private"]);
const mine = z.object({ room: joinedRoom });

/** Rooms and where one stands in them. */
export function roomRoutes(api: Api): void {
  listRoutes(api);
  settingRoutes(api);
  standingRoutes(api);
}

function listRoutes(api: Api): void {
  api.add({
    method: "POST",
    path: "/v1/rooms",
    name: "createRoom",
    tag: "Rooms",
    summary: "Make a room and be its owner",
    access: "signed-in",
    body: z.strictObject({
      name: nameSchema,
      visibility,
      topic: topic.exactOptional(),
      metadata: metadataSchema.exactOptional(),
    }),
    example: { name: "Greenhouse", visibility: "private", topic: "Tomatoes and their sensors" },
    responses: { 201: { description: "The room", schema: mine } },
    errors: ["forbidden"],
  }, async ({ context, principal, body }) => ({
    status: 201,
    body: { room: await createRoom(context.chat, principal, body) },
  }));
  api.add({
    method: "GET",
    path: "/v1/rooms",
    name: "listRooms",
    tag: "Rooms",
    summary: "One's rooms with unread counts, or the public ones",
    description: "With `visibility=public`: the public rooms whose name contains `q`, joined or " +
      "not. Without: the rooms one is in, the oldest first; `q` does not apply.",
    access: "signed-in",
    query: z.strictObject({
      visibility: z.literal("public").exactOptional(),
      q: storableString(0, SIZES.nameChars).exactOptional(),
      limit,
      next: next.exactOptional(),
    }).refine((query) => query.q === undefined || query.visibility !== undefined, {
      path: ["q"],
      message: "needs visibility=public",
    }),
    responses: { 200: { description: "The rooms", schema: listOf(anyRoom) } },
    errors: ["invalid_cursor"],
  }, async ({ context, principal, query }) => ({
    status: 200,
    body: query.visibility === "public"
      ? await findPublicRooms(context.chat, principal, query.q ?? "", pageOf(query))
      : await listMyRooms(context.chat, principal, pageOf(query)),
  }));
  api.add({
    method: "PUT",
    path: "/v1/direct/{id}",
    name: "openDirectRoom",
    tag: "Rooms",
    summary: "The direct room with a user",
    description: "Made by whoever asks first; there is never a second one.",
    access: "signed-in",
    params: idParams,
    responses: {
      200: { description: "The room that was there", schema: mine },
      201: { description: "The new room", schema: mine },
    },
  }, async ({ context, principal, params }) => {
    const { room, created } = await directRoom(context.chat, principal, params.id);
    return { status: created ? 201 : 200, body: { room } };
  });
}

function settingRoutes(api: Api): void {
  api.add({
    method: "GET",
    path: "/v1/rooms/{room}",
    name: "getRoom",
    tag: "Rooms",
    summary: "One room",
    access: "signed-in",
    params: roomParams,
    responses: {
      200: {
        description: "With one's own standing when one is a member",
        schema: z.object({ room: anyRoom }),
      },
    },
  }, async ({ context, principal, params }) => ({
    status: 200,
    body: { room: await getRoom(context.chat, principal, params.room) },
  }));
  api.add({
    method: "PATCH",
    path: "/v1/rooms/{room}",
    name: "changeRoom",
    tag: "Rooms",
    summary: "Change a room's settings",
    description: "For owners and admins. What is absent stays; `metadata` is replaced as a whole.",
    access: "signed-in",
    params: roomParams,
    body: z.strictObject({
      name: nameSchema.exactOptional(),
      topic: topic.exactOptional(),
      visibility: visibility.exactOptional(),
      metadata: metadataSchema.exactOptional(),
    }),
    example: { topic: "Now with peppers" },
    responses: { 200: { description: "The room as it is now", schema: mine } },
    errors: ["forbidden", "not_a_member", "direct_room"],
  }, async ({ context, principal, params, body }) => ({
    status: 200,
    body: { room: await changeRoom(context.chat, principal, params.room, body) },
  }));
}

function standingRoutes(api: Api): void {
  api.add({
    method: "POST",
    path: "/v1/rooms/{room}/join",
    name: "joinRoom",
    tag: "Rooms",
    summary: "Join a public room",
    access: "signed-in",
    params: roomParams,
    responses: { 200: { description: "Joined, now or before", schema: mine } },
    errors: ["not_a_member", "direct_room"],
  }, async ({ context, principal, params }) => ({
    status: 200,
    body: { room: await joinRoom(context.chat, principal, params.room) },
  }));
  api.add({
    method: "POST",
    path: "/v1/rooms/{room}/leave",
    name: "leaveRoom",
    tag: "Rooms",
    summary: "Leave a room",
    access: "signed-in",
    params: roomParams,
    responses: { 204: { description: "Left, now or before" } },
    errors: ["last_owner", "direct_room"],
  }, async ({ context, principal, params }) => {
    await leaveRoom(context.chat, principal, params.room);
    return { status: 204 };
  });
  api.add({
    method: "PUT",
    path: "/v1/rooms/{room}/read",
    name: "markRead",
    tag: "Rooms",
    summary: "Move one's read cursor",
    description: "It only rises, and never beyond the head.",
    access: "signed-in",
    params: roomParams,
    body: z.strictObject({ seq: seqSchema }),
    example: { seq: 42 },
    responses: {
      200: {
        description: "Where the cursor stands",
        schema: z.object({ read: seq, unread: z.number().int() }),
      },
    },
  }, async ({ context, principal, params, body }) => ({
    status: 200,
    body: await markRead(context.chat, principal, params.room, body.seq),
  }));
}
