import { assertEquals, assertNotEquals } from "@std/assert";
import { testDatabase } from "./database.ts";

Deno.test("testDatabase() gives every caller a migrated database of its own", async () => {
  await using first = await testDatabase();
  await using second = await testDatabase();
  assertNotEquals(first.url, second.url);
  await first.db.query("update instance set epoch = 'first'");
  const [mine] = await first.db.query("select epoch from instance");
  const [other] = await second.db.query("select epoch from instance");
  assertEquals(mine, { epoch: "first" });
  assertNotEquals(other, { epoch: "first" });
});
