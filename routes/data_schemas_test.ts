import { assertEquals } from "@std/assert";
import { testApp } from "../testing/app.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("the schema of a device's data is its owner's to set and to read", strict, async () => {
  await using app = await testApp();
  const [ada, eve] = await Promise.all(["ada", "eve"].map(app.register));
  const made = await app.request("POST", "/v1/devices", { ...ada, body: { name: "Lamp" } });
  const path = `/v1/devices/${made.body.device.id}/schema`;
  assertEquals((await app.request("GET", path, ada)).body, { schema: null });
  const schema = { type: "object", required: ["on"] };
  const set = (schema: unknown, who = ada) =>
    app.request("PUT", path, { ...who, body: { schema } });
  assertEquals([(await set(schema)).status, (await set(schema, eve)).status], [200, 404]);
  assertEquals((await app.request("GET", path, ada)).body, { schema });
  assertEquals((await app.request("GET", path, eve)).status, 404);
  const refused = await set({ items: { pattern: "(a+)+" } });
  assertEquals([refused.status, refused.body.code], [400, "invalid_request"]);
  assertEquals(refused.body.errors[0].path, "schema.items.pattern");
  for (const bad of [5, "x", [], { a: "x".repeat(9000) }, { type: "nonsense" }]) {
    assertEquals((await set(bad)).status, 400);
  }
  assertEquals((await app.request("GET", path, ada)).body, { schema });
  assertEquals((await set(null)).body, { schema: null });
  assertEquals((await app.request("GET", path, ada)).body, { schema: null });
});
