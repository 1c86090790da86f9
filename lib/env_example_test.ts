import { assert, assertEquals } from "@std/assert";
import { environment } from "./config.ts";
import { envExample } from "./env_example.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test(".env.example is what `deno task env` prints", strict, async () => {
  const committed = await Deno.readTextFile(new URL("../.env.example", import.meta.url));
  assertEquals(committed, envExample(), "Run: deno task env > .env.example");
});

Deno.test("envExample() shows every variable once, with its meaning", strict, () => {
  const lines = envExample().split("\n");
  for (const [name, { description }] of Object.entries(environment.shape)) {
    assertEquals(lines.filter((line) => line === `#${name}=`).length, 1, name);
    assert((description ?? "").length > 5, `${name} has no description`);
  }
});
