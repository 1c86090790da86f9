import type { MiddlewareHandler } from "hono";
import { authenticate } from "../lib/auth/mod.ts";
import { addressKey } from "../lib/limits/address_key.ts";
import type { AppEnv } from "./context.ts";

/** Probes must not fail because others ask too much. */
const UNLIMITED = new Set(["/healthz", "/readyz", "/metrics"]);

/**
 * Finds out who asks, by the bearer token, and whether they ask too often: principals by
 * themselves, everybody else (also with a token that is refused) by address. Who needs somebody
 * to be signed in looks at `principal` and `refusal`.
 */
export const identify: MiddlewareHandler<AppEnv> = async (c, next) => {
  const { context } = c.var;
  const token = bearerToken(c.req.raw.headers);
  if (token !== undefined) {
    try {
      c.set("principal", await authenticate(context.accounts, token));
    } catch (error) {
      c.set("refusal", error);
    }
  }
  if (!UNLIMITED.has(c.req.path)) {
    c.var.requests.take(c.var.principal?.id ?? addressKey(c.var.address));
  }
  await next();
};

/** The token of `Authorization: Bearer`; undefined without that scheme. */
export function bearerToken(headers: Headers): string | undefined {
  return headers.get("authorization")?.match(/^bearer +(\S+) *$/i)?.[1];
}
