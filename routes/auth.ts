import { z } from "zod";
import {
  guest,
  isPassword,
  listSessions,
  login,
  logout,
  PASSWORD_CHARS,
  refresh,
  register,
  revokeSession,
  USERNAME,
} from "../lib/auth/mod.ts";
import { addressKey } from "../lib/limits/address_key.ts";
import { nameSchema, storableString } from "../lib/schemas.ts";
import { session, signIn } from "./account_responses.ts";
import type { Api } from "./api.ts";
import type { EndpointRequest } from "./endpoint.ts";
import { idParams } from "./params.ts";
import { listOf } from "./responses.ts";

const username = z.string().regex(USERNAME, "must be 3 to 32 of A-Z a-z 0-9 . _ -");
const password = storableString(1, 2 * PASSWORD_CHARS.max);
const newPassword = password.refine(
  isPassword,
  `must have ${PASSWORD_CHARS.min} to ${PASSWORD_CHARS.max} characters`,
).meta({ minLength: PASSWORD_CHARS.min, maxLength: PASSWORD_CHARS.max });
const displayName = nameSchema.exactOptional();

/** Sign up, sign in, sessions. */
export function authRoutes(api: Api): void {
  signInRoutes(api);
  sessionRoutes(api);
}

function signInRoutes(api: Api): void {
  api.addOpen({
    method: "POST",
    path: "/v1/auth/register",
    name: "register",
    tag: "Accounts",
    summary: "Make an account and sign in",
    access: "anyone",
    body: z.strictObject({ username, password: newPassword, displayName }),
    example: { username: "ada", password: "correct horse battery", displayName: "Ada" },
    responses: { 201: { description: "The account and its first session", schema: signIn } },
    errors: ["username_taken", "overloaded"],
  }, async ({ context, body, c }) => {
    const result = await register(context.accounts, body, callerOf(c));
    return { status: 201, body: result };
  });
  api.addOpen({
    method: "POST",
    path: "/v1/auth/login",
    name: "login",
    tag: "Accounts",
    summary: "Sign in",
    description: "An unknown username and a wrong password get the same answer.",
    access: "anyone",
    body: z.strictObject({ username: storableString(1, 100), password }),
    example: { username: "ada", password: "correct horse battery" },
    responses: { 200: { description: "A new session", schema: signIn } },
    errors: ["invalid_credentials", "overloaded"],
  }, async ({ context, body, c }) => {
    const result = await login(context.accounts, body, callerOf(c));
    return { status: 200, body: result };
  });
  api.addOpen({
    method: "POST",
    path: "/v1/auth/guest",
    name: "guest",
    tag: "Accounts",
    summary: "Sign in without an account",
    description: "A guest sees public rooms and rooms it was added to, and makes none.",
    access: "anyone",
    body: z.strictObject({ displayName }),
    example: { displayName: "Visitor" },
    responses: { 201: { description: "The guest and its session", schema: signIn } },
  }, async ({ context, body, c }) => {
    return { status: 201, body: await guest(context.accounts, body, callerOf(c)) };
  });
  api.addOpen({
    method: "POST",
    path: "/v1/auth/refresh",
    name: "refresh",
    tag: "Accounts",
    summary: "Get a new pair of tokens",
    description: "A refresh token is good once; a repeat within 10 s, after a lost answer, gets " +
      "the same successor. Later, the session is revoked.",
    access: "anyone",
    body: z.strictObject({ refreshToken: z.string().min(1).max(200) }),
    responses: { 200: { description: "The new tokens", schema: signIn } },
    errors: ["refresh_invalid", "refresh_reused", "session_revoked"],
  }, async ({ context, body }) => ({ status: 200, body: await refresh(context.accounts, body) }));
}

function sessionRoutes(api: Api): void {
  api.add({
    method: "POST",
    path: "/v1/auth/logout",
    name: "logout",
    tag: "Accounts",
    summary: "End this session everywhere",
    access: "signed-in",
    responses: { 204: { description: "The session has ended" } },
  }, async ({ context, principal }) => {
    await logout(context.accounts, principal);
    return { status: 204 };
  });
  api.add({
    method: "GET",
    path: "/v1/auth/sessions",
    name: "listSessions",
    tag: "Accounts",
    summary: "One's sessions, the most recently used first",
    access: "signed-in",
    responses: { 200: { description: "All of them: at most 100", schema: listOf(session) } },
  }, async ({ context, principal }) => {
    const items = await listSessions(context.accounts, principal);
    return { status: 200, body: { items, next: null } };
  });
  api.add({
    method: "DELETE",
    path: "/v1/auth/sessions/{id}",
    name: "revokeSession",
    tag: "Accounts",
    summary: "End one of one's sessions everywhere",
    access: "signed-in",
    params: idParams,
    responses: { 204: { description: "The session has ended" } },
  }, async ({ context, principal, params }) => {
    await revokeSession(context.accounts, principal, params.id);
    return { status: 204 };
  });
}

/** For throttling, by the key of the address, and for the list of sessions. */
function callerOf(c: EndpointRequest<unknown, unknown, unknown>["c"]) {
  const client = c.req.raw.headers.get("user-agent") ?? "";
  return { address: addressKey(c.var.address), client };
}
