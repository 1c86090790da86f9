import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { testApp } from "../testing/app.ts";
import { readinessOf } from "./readiness.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("/healthz answers whatever the services do, /readyz names them", strict, async () => {
  let broken = false;
  await using app = await testApp({}, {
    checks: {
      database: () => Promise.resolve(),
      redis: () => broken ? Promise.reject(new Error("Down: pw s3cr3t")) : Promise.resolve(),
    },
  });
  const ready = await app.request("GET", "/readyz");
  assertEquals([ready.status, ready.body.status], [200, "ok"]);
  assertEquals(Object.keys(ready.body.checks), ["database", "redis"]);
  broken = true;
  const down = await app.request("GET", "/readyz");
  assertEquals([down.status, down.body.status], [503, "unavailable"]);
  assertEquals([down.body.checks.database.ok, down.body.checks.redis.ok], [true, false]);
  assert(!down.text.includes("s3cr3t"));
  assertStringIncludes(app.lines.join("\n"), '"service":"redis"');
  assertEquals((await app.request("GET", "/healthz")).body, { status: "ok" });
});

Deno.test("readinessOf() asks once for all who ask at the same time", strict, async () => {
  let asked = 0;
  const gate = Promise.withResolvers<void>();
  const ready = readinessOf({
    one: () => {
      asked++;
      return gate.promise;
    },
  }, () => {});
  const both = [ready(), ready()];
  gate.resolve();
  const [first, second] = await Promise.all(both);
  assertEquals([asked, first === second, first!.ok], [1, true, true]);
  await ready();
  assertEquals(asked, 2);
});

Deno.test("/metrics is Prometheus text", strict, async () => {
  await using app = await testApp();
  const { status, headers, text } = await app.request("GET", "/metrics");
  assertEquals([status, headers.get("content-type")], [200, "text/plain; version=0.0.4"]);
  for (const line of text.trimEnd().split("\n")) {
    assert(/^(# (HELP|TYPE) confab_\w+ .+|confab_\w+(\{[^}]*\})? -?[0-9.e+-]+)$/.test(line), line);
  }
});

Deno.test("metrics count commits and the sends in them", strict, async () => {
  await using app = await testApp();
  const { token } = await app.register();
  const { body } = await app.request("POST", "/v1/rooms", {
    token,
    body: { name: "Counted", visibility: "private" },
  });
  const { room } = body as { room: { id: string } };
  const path = `/v1/rooms/${room.id}/messages`;
  await app.request("POST", path, { token, body: { clientId: "one", text: "Hello" } });
  const { text } = await app.request("GET", "/metrics");
  assertMatch(text, /^confab_sends_total 1$/m);
  assertMatch(text, /^confab_commit_seconds_count 1$/m);
  assertMatch(text, /^confab_sends_waiting 0$/m);
});
