import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { testApp } from "../testing/app.ts";
import { honoPath } from "./endpoint.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** Pages for browsers, not endpoints for programs. */
const PAGES = ["/", "/assets/*"];

Deno.test("createApp() serves what the document says and nothing else", strict, async () => {
  await using app = await testApp();
  const { body: document } = await app.request("GET", "/openapi.json");
  const documented = Object.entries<Record<string, unknown>>(document.paths)
    .flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${honoPath(path)}`)
    );
  const served = new Set(
    app.app.routes.filter(({ method, path }) => method !== "ALL" && !PAGES.includes(path))
      .map(({ method, path }) => `${method} ${path}`),
  );
  assertEquals([...served].sort(), documented.sort());
});
