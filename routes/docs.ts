import type { Api } from "./api.ts";
import type { OpenApi } from "./openapi.ts";

/** The document of all endpoints, for programs and for people; loaded and made when first asked for. */
export function docsRoutes(api: Api, publicUrl: string | undefined): void {
  let document: OpenApi | undefined;
  const current = async () => {
    const { openApiOf } = await import("./openapi.ts");
    return document ??= openApiOf(api.endpoints, publicUrl ?? "/");
  };
  api.addRaw(
    {
      method: "GET",
      path: "/openapi.json",
      name: "openapi",
      tag: "Service",
      summary: "This document (OpenAPI 3.1)",
      access: "anyone",
      responses: { 200: { description: "The document", mediaType: "application/json" } },
      errors: ["rate_limited"],
    },
    async () =>
      Response.json(await current(), { headers: { "cache-control": "public, max-age=60" } }),
  );
  let page: Promise<{ body: string; policy: string }> | undefined;
  api.addRaw({
    method: "GET",
    path: "/docs",
    name: "docs",
    tag: "Service",
    summary: "This document as a page",
    access: "anyone",
    responses: { 200: { description: "The page", mediaType: "text/html" } },
    errors: ["rate_limited"],
  }, async () => {
    const { body, policy } = await (page ??= current().then(renderPage));
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
  const { DOCS_STYLE } = await import("./docs_style.ts");
  const { docsPage } = await import("./docs_page.ts");
  const body = String(await docsPage(document));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(DOCS_STYLE));
  const hash = btoa(String.fromCharCode(...new Uint8Array(digest)));
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; ` +
    `form-action 'none'; frame-ancestors 'none'`;
  return { body, policy };
}
