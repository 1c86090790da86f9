import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { pageRoutes } from "./page.ts";
import { PageAssets } from "./page_assets.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const app = pageRoutes();

Deno.test("the page is a document that runs only its own scripts", strict, async () => {
  const response = await app.request("/");
  assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
  const policy = response.headers.get("content-security-policy") ?? "";
  assertStringIncludes(policy, "default-src 'none'; script-src 'self'");
  assert(!policy.includes("unsafe"));
  const html = await response.text();
  assertStringIncludes(html, 'href="/assets/lib/client/mod.ts"');
  assert(!/<script(?![^>]*\bsrc=)/.test(html), "no script inside the document");
  assert(!/\son\w+=|\sstyle=/.test(html), "no handlers or styles in attributes");
});

Deno.test(
  "every module of the page arrives as JavaScript and imports what exists",
  strict,
  async () => {
    const names = await new PageAssets().names();
    const modules = names.filter((name) => name.endsWith(".ts"));
    assert(modules.includes("routes/page/main.ts") && modules.includes("lib/protocol.ts"));
    for (const name of modules) {
      const response = await app.request(`/assets/${name}`);
      assertEquals(response.headers.get("content-type"), "text/javascript; charset=utf-8", name);
      const code = await response.text();
      assert(!/^\s*(import|export) type\b/m.test(code), name);
      for (const [, target] of code.matchAll(/^(?:import|export)\b[^;]*?from "([^"]+)";/gm)) {
        const path = new URL(target!, `file:///${name}`).pathname.slice(1);
        assert(modules.includes(path), `${name} imports ${target}`);
      }
    }
  },
);

Deno.test("nothing but the listed files can be asked for", strict, async () => {
  for (
    const path of [
      "/assets/",
      "/assets/main.ts",
      "/assets/deno.json",
      "/assets/lib/config.ts",
      "/assets/lib/client/room_test.ts",
      "/assets/lib/client/testing/serve.ts",
      "/assets/routes/page/index.html",
      "/assets/routes/page/../page.ts",
      "/assets/routes/page/%2e%2e/page.ts",
      "/assets/routes/page/..%2fpage.ts",
      "/assets//etc/passwd",
    ]
  ) {
    const response = await app.request(path);
    assertEquals(response.status, 404, path);
    await response.body?.cancel();
  }
});

Deno.test("a file that has not changed is not sent again", strict, async () => {
  const first = await app.request("/assets/lib/protocol.ts");
  await first.body?.cancel();
  const etag = first.headers.get("etag") ?? "";
  const again = await app.request("/assets/lib/protocol.ts", {
    headers: { "if-none-match": `W/${etag}, "other"` },
  });
  assertEquals([again.status, again.body], [304, null]);
  assertEquals(again.headers.get("etag"), etag);
});

Deno.test("the page builds its elements from text, never from markup", strict, async () => {
  const folder = new URL("./page/", import.meta.url);
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".ts")) continue;
    const source = await Deno.readTextFile(new URL(name, folder));
    assert(!/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/.test(source), name);
  }
});
