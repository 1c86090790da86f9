import { z } from "zod";
import { introspect, issueTicket } from "../lib/auth/mod.ts";
import { introspection } from "./account_responses.ts";
import type { Api } from "./api.ts";

/** RFC 7662 lets clients send more, and RFC 6749 says to ignore it. */
const introspected = z.object({
  token: z.string().min(1).max(8192),
  token_type_hint: z.string().exactOptional(),
});
const jwk = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string(),
  kid: z.string(),
  use: z.literal("sig"),
  alg: z.literal("EdDSA"),
});

/** Tickets, introspection and the keys that verify tokens. */
export function tokenRoutes(api: Api): void {
  api.add({
    method: "POST",
    path: "/v1/auth/ticket",
    name: "issueTicket",
    tag: "Accounts",
    summary: "Get a ticket for one WebSocket connection",
    description: "For browsers, which cannot send a header with an upgrade.",
    access: "signed-in",
    responses: {
      200: {
        description: "Good once, for `expiresIn` seconds",
        schema: z.object({ ticket: z.string(), expiresIn: z.number() }),
      },
    },
    errors: ["forbidden"],
  }, async ({ context, principal }) => ({
    status: 200,
    body: await issueTicket(context.accounts, principal),
  }));
  api.add({
    method: "POST",
    path: "/v1/auth/introspect",
    name: "introspect",
    tag: "Accounts",
    summary: "Ask whether an access token is good at this moment (RFC 7662)",
    access: "signed-in",
    body: introspected,
    form: true,
    responses: { 200: { description: "What the token stands for", schema: introspection } },
  }, async ({ context, body }) => ({
    status: 200,
    body: await introspect(context.accounts, body.token),
  }));
  api.addOpen({
    method: "GET",
    path: "/.well-known/jwks.json",
    name: "jwks",
    tag: "Accounts",
    summary: "The public keys that verify access tokens (RFC 7517)",
    access: "anyone",
    responses: { 200: { description: "A JWK set", schema: z.object({ keys: z.array(jwk) }) } },
  }, ({ context }) => ({
    status: 200,
    body: context.keys.jwks(),
    headers: { "cache-control": "public, max-age=300" },
  }));
}
