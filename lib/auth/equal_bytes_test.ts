import { assertEquals } from "@std/assert";
import { equalBytes } from "./equal_bytes.ts";

Deno.test("equalBytes() compares every byte and the length", () => {
  const bytes = new Uint8Array([1, 2, 3]);
  assertEquals(equalBytes(bytes, new Uint8Array([1, 2, 3])), true);
  for (const other of [[0, 2, 3], [1, 0, 3], [1, 2, 0], [1, 2], [1, 2, 3, 0], []]) {
    assertEquals(equalBytes(bytes, new Uint8Array(other)), false, `${other}`);
  }
  assertEquals(equalBytes(new Uint8Array(0), new Uint8Array(0)), true);
});
