import { Hono } from "hono";
import type { Context } from "hono";
import type { PageAsset } from "./page_assets.ts";
import { PageAssets } from "./page_assets.ts";

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The web client: `/` and everything below `/assets/`. */
export function pageRoutes(assets = new PageAssets()): Hono {
  const app = new Hono();
  app.get("/", async (c) => answer(c, await assets.document()));
  app.get("/assets/*", async (c) => {
    const found = await assets.get(c.req.path.slice("/assets/".length));
    return found === undefined ? c.notFound() : answer(c, found);
  });
  return app;
}

function answer(c: Context, { type, etag, body }: PageAsset): Response {
  c.header("content-type", type);
  c.header("content-security-policy", POLICY);
  c.header("x-content-type-options", "nosniff");
  c.header("referrer-policy", "no-referrer");
  c.header("cross-origin-opener-policy", "same-origin");
  c.header("cache-control", "no-cache");
  c.header("etag", etag);
  const known = c.req.header("if-none-match") ?? "";
  if (known.split(",").some((each) => each.trim().replace(/^W\//, "") === etag)) {
    return c.body(null, 304);
  }
  return c.body(body);
}
