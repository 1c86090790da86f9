import type { Context } from "hono";
import type { z } from "zod";
import type { Principal } from "../lib/auth/principal.ts";
import type { ErrorCode } from "../lib/errors.ts";
import type { AppEnv, RouteContext } from "./context.ts";

/** The chapters of the document. */
export const TAGS = {
  Accounts: "Sign up, sign in, sessions and tokens",
  People: "Oneself and others",
  Rooms: "Rooms and where one stands in them",
  Members: "Who is in a room, and as what",
  Messages: "What is said, and the log of everything that happens",
  Devices: "Things that speak MQTT",
  Service: "How the server is doing",
} as const;

/** One kind of answer; without a schema it has no JSON body. */
export interface Outcome {
  description: string;
  schema?: z.ZodType;
  /** Media type of a body that is not JSON. */
  mediaType?: string;
}

/** The answers of an endpoint by their status. */
export type Outcomes = { readonly [status: number]: Outcome };

/**
 * One endpoint, declared once: what is validated and what the OpenAPI document says come from here.
 * `params`, `query` and `body` are object schemas; a malformed param is `not_found`, since nothing
 * can be there, anything else that does not fit is `invalid_request`.
 */
export interface Definition<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
  R extends Outcomes = Outcomes,
> {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** As OpenAPI writes it: `/v1/rooms/{room}`. */
  path: string;
  /** The `operationId`. */
  name: string;
  tag: keyof typeof TAGS;
  summary: string;
  description?: string;
  access: "anyone" | "signed-in";
  params?: P;
  query?: Q;
  /** JSON; an absent body counts as `{}`. */
  body?: B;
  /** The body may also be `application/x-www-form-urlencoded`. */
  form?: boolean;
  /** An example of the body. */
  example?: unknown;
  responses: R;
  /** Codes beyond those that follow from the rest of the definition. */
  errors?: readonly ErrorCode[];
}

/** What a handler is given: everything validated. */
export interface EndpointRequest<P, Q, B> {
  context: RouteContext;
  params: P;
  query: Q;
  body: B;
  c: Context<AppEnv>;
}

/** The same for endpoints that need somebody who is signed in. */
export interface SignedInRequest<P, Q, B> extends EndpointRequest<P, Q, B> {
  principal: Principal;
}

/** What a handler answers: one of the declared statuses with its body. */
export type Answer<R extends Outcomes> = {
  [S in keyof R & number]: R[S] extends { schema: infer T extends z.ZodType }
    ? { status: S; body: z.output<T>; headers?: Record<string, string> }
    : { status: S };
}[keyof R & number];

/** The path as Hono writes it: `/v1/rooms/:room`. */
export function honoPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ":$1");
}

/** Every error code that an endpoint may answer with. */
export function errorCodesOf(definition: Definition): ErrorCode[] {
  const codes = new Set<ErrorCode>(["invalid_request", ...definition.errors ?? []]);
  const add = (...more: ErrorCode[]) => more.forEach((code) => codes.add(code));
  if (definition.tag !== "Service") add("rate_limited", "internal", "unavailable");
  if (definition.access === "signed-in") {
    add("unauthenticated", "token_invalid", "token_expired", "session_revoked");
  }
  if (definition.params !== undefined) add("not_found");
  if (takesBody(definition)) {
    add("invalid_json", "invalid_utf8", "payload_too_large");
    add("unsupported_media_type", "request_timeout");
  }
  if (definition.method !== "GET") add("outcome_unknown");
  return [...codes];
}

/** True for the methods whose body is read (and must be `{}` when none is declared). */
export function takesBody(definition: Definition): boolean {
  return definition.method !== "GET" && definition.method !== "DELETE";
}
