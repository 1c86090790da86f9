import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfabError } from "./errors.ts";
import { newId } from "./ids.ts";
import { decodeCursor, listOf } from "./lists.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("listOf() says where the next page begins only when there is one", strict, () => {
  const rows = Array.from({ length: 3 }, () => ({ name: "é", id: newId() }));
  const key = ({ name, id }: { name: string; id: string }) => [name, id];
  assertEquals(listOf([], 2, key), { items: [], next: null });
  assertEquals(listOf(rows, 3, key), { items: rows, next: null });
  const { items, next } = listOf(rows, 2, key);
  assertEquals(items, rows.slice(0, 2));
  assertEquals(decodeCursor(next!, 2), key(rows[1]!));
  assert(/^[A-Za-z0-9_-]+$/.test(next!), "a cursor goes into a query as it is");
});

Deno.test("decodeCursor() reads any key of listOf(), of the same number of parts", strict, () => {
  const text = fc.string({ unit: "binary" }).filter((s) => s.isWellFormed() && !s.includes("\0"));
  fc.assert(fc.property(fc.array(text, { maxLength: 3 }), (parts) => {
    const key = [...parts, newId()];
    const { next } = listOf([1, 2], 1, () => key);
    assertEquals(decodeCursor(next!, key.length), key);
    assertThrows(() => decodeCursor(next!, key.length + 1), ConfabError);
  }));
});

Deno.test("decodeCursor() refuses whatever else it is given as invalid_cursor", strict, () => {
  const forged = [["a\0", newId()], [1, newId()], ["a", "b"], { 0: "a", 1: newId(), length: 2 }]
    .map((key) => btoa(JSON.stringify(key)));
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (cursor) => {
      assertEquals(assertThrows(() => decodeCursor(cursor, 2), ConfabError).code, "invalid_cursor");
    }),
    { examples: ["", "e30", "bnVsbA", ...forged].map((one) => [one] as [string]) },
  );
});
