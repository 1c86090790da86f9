import type { Api } from "./api.ts";
import { DOCS_STYLE, docsPage } from "./docs_page.ts";
import { type OpenApi, openApiOf } from "./openapi.ts";

/** The document of all endpoints, for programs and for people; made when first asked for. */
export function docsRoutes(api: Api, publicUrl: string | undefined): void {
  let document: OpenApi | undefined;
  const current = () => document ??= openApiOf(api.endpoints, publicUrl ?? "/");
  api.addRaw({
    method: "GET",
    path: "/openapi.json",
    name: "openapi",
    tag: "Service",
    summary: "This document (OpenAPI 3.1)",
    access: "anyone",
    responses: { 200: { description: "The document", mediaType: "application/json" } },
  }, () => Response.json(current(), { headers: { "cache-control": "public, max-age=60" } }));
  let page: Promise<{ body: string; policy: string }> | undefined;
  api.addRaw({
    method: "GET",
    path: "/docs",
    name: "docs",
    tag: "Service",
    summary: "This document as a page",
    access: "anyone",
    responses: { 200: { description: "The page", mediaType: "text/html" } },
  }, async () => {
    const { body, policy } = await (page ??= renderPage(current()));
    return new Response(body, {
      headers: {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy,
        "cache-control": "public, max-age=60",
      },
    });
  });
}

async function renderPage(document: OpenApi): Promise<{ body: string; policy: string }> {
  const body = String(await docsPage(document));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(DOCS_STYLE));
  const hash = btoa(String.fromCharCode(...new Uint8Array(digest)));
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; ` +
    `form-action 'none'; frame-ancestors 'none'`;
  return { body, policy };
}
