import { assert, assertEquals } from "@std/assert";
import { formatUuid, isId, newId } from "./ids.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

function test(name: string, fn: () => void): void {
  Deno.test({ name, fn, ...strict });
}

test("newId() makes a UUIDv7 that holds its millisecond", () => {
  for (const now of [0, 1, 1_700_000_000_123, Date.now(), 2 ** 48 - 1]) {
    const id = newId(now);
    assert(isId(id), id);
    assertEquals(parseInt(id.replaceAll("-", "").slice(0, 12), 16), now);
    assertEquals(id[14], "7");
    assert("89ab".includes(id[19]!), id);
  }
});

test("newId() of a later millisecond sorts later", () => {
  const ids = Array.from({ length: 1000 }, (_, i) => newId(1_700_000_000_000 + 37 * i));
  assertEquals(ids, ids.toSorted());
});

test("newId() does not repeat itself within a millisecond", () => {
  assertEquals(new Set(Array.from({ length: 10_000 }, () => newId(1))).size, 10_000);
});

test("formatUuid() writes bytes in order", () => {
  const bytes = Uint8Array.from({ length: 16 }, (_, i) => 17 * i);
  assertEquals(formatUuid(bytes), "00112233-4455-6677-8899-aabbccddeeff");
});

test("isId() takes lower case UUIDs and nothing around them", () => {
  const id = newId();
  assert(isId(id));
  const others = ["", id.toUpperCase(), ` ${id}`, `${id}\n`, id.slice(1), `{${id}}`, `${id}/..`];
  for (const other of [...others, id.replaceAll("-", ""), "+".repeat(36)]) {
    // An id without letters is its own upper case
    assertEquals(isId(other), other === id, JSON.stringify(other));
  }
});
