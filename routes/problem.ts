import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { publicError } from "../lib/chat/outcome.ts";
import { ConfabError, ERRORS } from "../lib/errors.ts";
import type { AppEnv } from "./context.ts";
import type { Problem } from "./responses.ts";

/**
 * The error that may be shown for whatever was thrown: a missed deadline of the database is
 * `unavailable` for those who only read. Anything that is not in the table becomes `internal`.
 */
export function shownError(error: unknown, method: string): ConfabError {
  const known = publicError(error, method === "GET" || method === "HEAD");
  if (known instanceof ConfabError) return known;
  if (error instanceof HTTPException && error.status === 400) {
    // Thrown by Hono's validator, and only for a body that cannot be parsed.
    return new ConfabError("invalid_json", undefined, { cause: error });
  }
  return new ConfabError("internal", undefined, { cause: error });
}

/** Hono's error handler: logs what is our fault, answers with a problem document. */
export function answerError(error: unknown, c: Context<AppEnv>): Response {
  const shown = shownError(error, c.req.method);
  if (shown.status >= 500) {
    const { log } = c.var.context;
    const fields = { requestId: c.var.requestId, code: shown.code, error: shown.cause ?? error };
    if (shown.code === "internal") log.error("A request failed", fields);
    else log.warn("A request was not served", fields);
  }
  return problemResponse(shown, c);
}

/** A ConfabError as an RFC 9457 document. */
export function problemResponse(
  error: ConfabError,
  c: Context<AppEnv>,
  headers: Record<string, string> = {},
): Response {
  const { code, status, retryAfter, errors } = error;
  const body: Problem = {
    type: `${c.var.context.config.publicUrl ?? ""}/docs#error-${code}`,
    title: ERRORS[code].title,
    status,
    code,
    detail: error.message,
    requestId: c.var.requestId,
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(errors === undefined ? {} : { errors }),
  };
  const all = new Headers({ "content-type": "application/problem+json", ...headers });
  if (retryAfter !== undefined) all.set("retry-after", String(Math.ceil(retryAfter)));
  if (status === 401) all.set("www-authenticate", "Bearer");
  return new Response(JSON.stringify(body), { status, headers: all });
}
