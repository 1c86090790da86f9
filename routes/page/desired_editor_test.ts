import { assertEquals } from "@std/assert";
import { readState } from "./desired_editor.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("a desired state is an object, or it is said why not", strict, () => {
  assertEquals(readState('{"speed": 3}'), { speed: 3 });
  assertEquals(readState("[1]"), 'A state is an object, such as {"speed": 3}.');
  assertEquals(String(readState("{")).startsWith("This is no JSON: "), true);
});
