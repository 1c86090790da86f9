import { assertEquals } from "@std/assert";
import { drafts } from "./drafts.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("drafts are kept per room until they are sent or all forgotten", strict, () => {
  sessionStorage.setItem("another", "stays");
  drafts.set("one", "Hello");
  drafts.set("two", "Goodbye");
  drafts.set("three", "");
  assertEquals(["one", "two", "three"].map(drafts.get), ["Hello", "Goodbye", ""]);
  drafts.clear();
  assertEquals(["one", "two"].map(drafts.get), ["", ""]);
  assertEquals(sessionStorage.getItem("another"), "stays");
  sessionStorage.removeItem("another");
});
