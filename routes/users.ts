import { z } from "zod";
import { deleteMe, getUser, me, searchUsers, updateMe } from "../lib/auth/mod.ts";
import { leaveEverything } from "../lib/chat/users.ts";
import { metadataSchema, nameSchema, storableString } from "../lib/schemas.ts";
import { publicUser, user } from "./account_responses.ts";
import type { Api } from "./api.ts";
import { idParams, limit, next, pageOf } from "./params.ts";
import { listOf } from "./responses.ts";

const account = z.object({ user });

/** Oneself and others. */
export function userRoutes(api: Api): void {
  ownRoutes(api);
  api.add({
    method: "GET",
    path: "/v1/users",
    name: "searchUsers",
    tag: "People",
    summary: "Find users by the beginning of a name or username",
    access: "signed-in",
    query: z.strictObject({ q: storableString(1, 80), limit, next: next.exactOptional() }),
    responses: { 200: { description: "By name", schema: listOf(publicUser) } },
    errors: ["invalid_cursor"],
  }, async ({ context, query }) => ({
    status: 200,
    body: await searchUsers(context.accounts, query.q, pageOf(query)),
  }));
  api.add({
    method: "GET",
    path: "/v1/users/{id}",
    name: "getUser",
    tag: "People",
    summary: "One user or guest",
    access: "signed-in",
    params: idParams,
    responses: { 200: { description: "The person", schema: z.object({ user: publicUser }) } },
  }, async ({ context, params }) => ({
    status: 200,
    body: { user: await getUser(context.accounts, params.id) },
  }));
}

function ownRoutes(api: Api): void {
  api.add({
    method: "GET",
    path: "/v1/me",
    name: "getMe",
    tag: "People",
    summary: "Oneself",
    access: "signed-in",
    responses: { 200: { description: "One's account", schema: account } },
  }, async ({ context, principal }) => ({
    status: 200,
    body: { user: await me(context.accounts, principal) },
  }));
  api.add({
    method: "PATCH",
    path: "/v1/me",
    name: "updateMe",
    tag: "People",
    summary: "Change one's name or metadata",
    description: "`metadata` replaces the former object.",
    access: "signed-in",
    body: z.strictObject({
      displayName: nameSchema.exactOptional(),
      metadata: metadataSchema.exactOptional(),
    }),
    example: { displayName: "Ada L.", metadata: { colour: "green" } },
    responses: { 200: { description: "The account as it is now", schema: account } },
  }, async ({ context, principal, body }) => ({
    status: 200,
    body: { user: await updateMe(context.accounts, principal, body) },
  }));
  api.add({
    method: "DELETE",
    path: "/v1/me",
    name: "deleteMe",
    tag: "People",
    summary: "Delete one's account",
    description: "Leaves all rooms but direct ones, deletes one's devices, ends all sessions. " +
      "Messages stay, under the name of a deleted account. What failed is completed by a repeat.",
    access: "signed-in",
    responses: { 204: { description: "The account is gone" } },
  }, async ({ context, principal }) => {
    await deleteMe(context.accounts, principal, () => leaveEverything(context.chat, principal));
    return { status: 204 };
  });
}
