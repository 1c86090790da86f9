import { assertEquals } from "@std/assert";
import { mergePatch } from "./merge_patch.ts";
import type { Json, Metadata } from "./protocol.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

// RFC 7386, appendix A: those whose patch is an object.
const EXAMPLES: [Json, Metadata, Json][] = [
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: "b", c: null }, { a: "b" }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

Deno.test("mergePatch() does what the examples of RFC 7386 show", strict, () => {
  for (const [target, patch, merged] of EXAMPLES) assertEquals(mergePatch(target, patch), merged);
});

Deno.test("mergePatch() takes `__proto__` for a name like any other", strict, () => {
  const patch: Metadata = JSON.parse('{"__proto__":{"admin":true},"constructor":{"a":1}}');
  const merged = mergePatch({}, patch);
  assertEquals(JSON.stringify(merged), JSON.stringify(patch));
  assertEquals((merged as { admin?: boolean }).admin, undefined);
});

Deno.test("mergePatch() changes neither of both", strict, () => {
  const [target, patch] = [{ a: { b: 1 } }, { a: { c: 2 } }];
  assertEquals(mergePatch(target, patch), { a: { b: 1, c: 2 } });
  assertEquals([target, patch], [{ a: { b: 1 } }, { a: { c: 2 } }]);
});
