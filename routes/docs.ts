import type { Api } from "./api.ts";
import type { AsyncApi } from "./asyncapi_document.ts";
import type { RouteContext } from "./context.ts";
import type { OpenApi } from "./openapi.ts";

const CACHED = { "cache-control": "public, max-age=60" };

/** The documents of all that clients can use; loaded and made when first asked for. */
export function docsRoutes(api: Api, context: Pick<RouteContext, "config" | "mqttEndpoint">): void {
  openApiRoutes(api, context.config.publicUrl);
  asyncApiRoute(api, context);
}

/** The document of all endpoints, for programs and for people. */
function openApiRoutes(api: Api, publicUrl: string | undefined): void {
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
    async () => Response.json(await current(), { headers: CACHED }),
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
        ...CACHED,
      },
    });
  });
}

/** The document of everything that is not one answer to one request. */
function asyncApiRoute(api: Api, context: Pick<RouteContext, "config" | "mqttEndpoint">): void {
  const { publicUrl, mqtt: { prefix } } = context.config;
  let document: AsyncApi | undefined;
  api.addRaw({
    method: "GET",
    path: "/asyncapi.json",
    name: "asyncapi",
    tag: "Service",
    summary: "The WebSocket, the event streams and the MQTT topics (AsyncAPI 3.0)",
    access: "anyone",
    responses: { 200: { description: "The document", mediaType: "application/json" } },
    errors: ["rate_limited"],
  }, async (c) => {
    const { asyncApiOf, serversOf } = await import("./asyncapi.ts");
    const url = publicUrl ?? new URL(c.req.url).origin;
    const places = { url, mqtt: context.mqttEndpoint() };
    document ??= asyncApiOf(api.endpoints, prefix, places);
    return Response.json({ ...document, servers: serversOf(places) }, { headers: CACHED });
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
