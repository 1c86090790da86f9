import { assert, assertEquals, assertMatch } from "@std/assert";
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

Deno.test("a request keeps a sane id of its own and gets one otherwise", strict, async () => {
  await using app = await testApp();
  const idFor = async (given: string) => {
    const headers = { "x-request-id": given };
    return (await app.request("GET", "/v1/me", { headers })).body.requestId;
  };
  assertEquals(await idFor("trace-12345678"), "trace-12345678");
  for (const bad of ["short", "x".repeat(65), "with space 123", "<script>alert"]) {
    assertMatch(await idFor(bad), /^[0-9a-f-]{36}$/);
  }
});

Deno.test(
  "a path that nothing serves is 404, a method that nothing serves 405",
  strict,
  async () => {
    await using app = await testApp();
    const lost = await app.request("GET", "/v1/nothing");
    assertEquals([lost.status, lost.body.code], [404, "not_found"]);
    assertEquals(lost.body.type, "/docs#error-not_found");
    const wrong = await app.request("PUT", "/v1/me");
    assertEquals([wrong.status, wrong.body.code], [405, "method_not_allowed"]);
    assertEquals(wrong.headers.get("allow"), "DELETE, GET, HEAD, PATCH");
    const room = await app.request("POST", "/v1/rooms/x/messages/1");
    assertEquals(room.headers.get("allow"), "DELETE, GET, HEAD, PATCH");
  },
);

Deno.test("HEAD opens neither a stream nor a socket", strict, async () => {
  await using app = await testApp();
  const { token } = await app.register();
  const body = { name: "Room", visibility: "private" };
  const { room } = (await app.request("POST", "/v1/rooms", { token, body })).body;
  const headers = { authorization: `Bearer ${token}`, connection: "Upgrade", upgrade: "websocket" };
  for (const path of [`/v1/rooms/${room.id}/stream`, "/v1/socket"]) {
    const { status } = await app.app.request(path, { method: "HEAD", headers });
    assertEquals([status, app.node.connections.size], [405, 0]);
  }
});

Deno.test("every answer carries headers that make browsers careful", strict, async () => {
  await using app = await testApp({ PUBLIC_URL: "https://chat.example.org" });
  const { headers, body } = await app.request("GET", "/v1/me");
  assertEquals(headers.get("x-content-type-options"), "nosniff");
  assertEquals(headers.get("referrer-policy"), "no-referrer");
  assertEquals(headers.get("cache-control"), "no-store");
  assertEquals(
    headers.get("content-security-policy"),
    "default-src 'none'; frame-ancestors 'none'",
  );
  assertEquals(headers.get("strict-transport-security"), "max-age=31536000");
  assertEquals(headers.get("www-authenticate"), "Bearer");
  assertEquals(body.type, "https://chat.example.org/docs#error-unauthenticated");
});

Deno.test("other origins are answered only when they are configured, exactly", strict, async () => {
  await using app = await testApp({ ALLOWED_ORIGINS: "https://app.example.org" });
  const allowedFor = async (method: string, origin: string) => {
    const headers = { origin, "access-control-request-method": "GET" };
    const response = await app.app.request("/v1/me", { method, headers });
    await response.body?.cancel();
    assertEquals(response.headers.get("access-control-allow-credentials"), null);
    return [response.status, response.headers.get("access-control-allow-origin")];
  };
  assertEquals(await allowedFor("OPTIONS", "https://app.example.org"), [
    204,
    "https://app.example.org",
  ]);
  assertEquals(await allowedFor("GET", "https://app.example.org"), [
    401,
    "https://app.example.org",
  ]);
  for (
    const origin of ["https://evil.example", "https://app.example.org.evil.example", "null", ""]
  ) {
    assertEquals(await allowedFor("OPTIONS", origin), [405, null]);
    assertEquals(await allowedFor("GET", origin), [401, null]);
  }
});

Deno.test("requests are limited per principal, and per address without one", strict, async () => {
  await using app = await testApp({ LIMIT_REQUESTS_PER_SECOND: "1", TRUST_PROXY: "1" });
  const from = (address: string) => ({ "x-forwarded-for": `10.9.9.9, ${address}` });
  const ask = (address: string, token?: string) =>
    app.request("GET", "/v1/me", { token, headers: from(address) });
  const burst = async (address: string, token?: string) => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(address, token)));
    return answers.filter(({ status }) => status === 429);
  };
  const refused = await burst("192.0.2.1");
  assert(refused.length >= 4, "A burst of 3 was allowed");
  const { headers, body } = refused[0]!;
  assertEquals(body.code, "rate_limited");
  assert(body.retryAfter > 0);
  assertEquals(Number(headers.get("retry-after")), Math.ceil(body.retryAfter));
  assertEquals((await ask("192.0.2.2")).status, 401, "Another address has its own rate");
  assertEquals((await ask("2001:db8:1:2::1")).status, 401);
  await burst("2001:db8:1:2::5");
  assertEquals((await ask("2001:db8:1:2:9::1")).status, 429, "One /64 is one customer");
  const token = await app.services.auth.tokens.signAccess({
    id: crypto.randomUUID(),
    kind: "user",
    role: "user",
    name: "x",
    session: crypto.randomUUID(),
  });
  assert((await ask("192.0.2.1", token)).status !== 429, "A principal has its own rate");
  assert((await burst("192.0.2.77", token)).length >= 4, "whatever the address");
  assertEquals((await app.request("GET", "/healthz", { headers: from("192.0.2.1") })).status, 200);
});

Deno.test("the log has a line per request, with the pattern and no secret", strict, async () => {
  await using app = await testApp();
  const headers = { "x-request-id": "trace-of-this-one" };
  const { token, refreshToken } = await app.register();
  const room = crypto.randomUUID();
  await app.request("GET", `/v1/rooms/${room}?ticket=s3cr3t-ticket`, { token, headers });
  await app.request("POST", "/v1/auth/login", { body: { username: "xyz", password: "s3cr3t-pw" } });
  const line = JSON.parse(app.lines.find((text) => text.includes("trace-of-this-one"))!);
  assertEquals([line.method, line.route, line.status], ["GET", "/v1/rooms/:room", 400]);
  assert(line.ms >= 0);
  const all = app.lines.join("\n");
  for (const secret of ["s3cr3t", token, refreshToken, "correct horse"]) {
    assert(!all.includes(secret), `The log holds "${secret}"`);
  }
  const metrics = (await app.request("GET", "/metrics")).text;
  assertMatch(
    metrics,
    /confab_http_requests_total\{method="GET",route="\/v1\/rooms\/:room",status="400"\} 1\n/,
  );
  assertMatch(metrics, /confab_http_request_seconds_count\{route="\/v1\/auth\/register"\} 1\n/);
  assert(!metrics.includes(room));
});
