import { z } from "zod";
import { listMembers, removeMember, setMember } from "../lib/chat/members.ts";
import { member } from "../lib/entry_schemas.ts";
import type { Api } from "./api.ts";
import { memberParams, pageOf, pageQuery, roomParams } from "./params.ts";
import { listOf } from "./responses.ts";

const one = z.object({ member });

/** Who is in a room, and as what. */
export function memberRoutes(api: Api): void {
  api.add({
    method: "GET",
    path: "/v1/rooms/{room}/members",
    name: "listMembers",
    tag: "Members",
    summary: "The members of a room",
    access: "signed-in",
    params: roomParams,
    query: pageQuery,
    responses: { 200: { description: "By id", schema: listOf(member) } },
    errors: ["invalid_cursor"],
  }, async ({ context, principal, params, query }) => ({
    status: 200,
    body: await listMembers(context.chat, principal, params.room, pageOf(query)),
  }));
  api.add({
    method: "PUT",
    path: "/v1/rooms/{room}/members/{principal}",
    name: "putMember",
    tag: "Members",
    summary: "Add a member or change a role",
    description: "For owners and admins; only owners make or change owners. A device is added by " +
      "its owner. Without a role, new members are `member` and others stay as they are.",
    access: "signed-in",
    params: memberParams,
    body: z.strictObject({
      role: z.enum(["owner", "admin", "member", "reader"]).exactOptional(),
    }),
    example: { role: "member" },
    responses: {
      200: { description: "The member as it is now", schema: one },
      201: { description: "The new member", schema: one },
    },
    errors: ["forbidden", "not_a_member", "last_owner", "direct_room"],
  }, async ({ context, principal, params, body }) => {
    const { room, principal: subject } = params;
    const set = await setMember(context.chat, principal, room, subject, body.role);
    return { status: set.created ? 201 : 200, body: { member: set.member } };
  });
  api.add({
    method: "DELETE",
    path: "/v1/rooms/{room}/members/{principal}",
    name: "removeMember",
    tag: "Members",
    summary: "Remove a member",
    description: "For owners and admins, and for the owner of a device. Nothing with a later seq " +
      "reaches a removed member; whoever somebody else removes loses their devices here, too.",
    access: "signed-in",
    params: memberParams,
    responses: { 204: { description: "Not a member, now or before" } },
    errors: ["forbidden", "not_a_member", "last_owner", "direct_room"],
  }, async ({ context, principal, params }) => {
    await removeMember(context.chat, principal, params.room, params.principal);
    return { status: 204 };
  });
}
