import { assertEquals } from "@std/assert";
import { VerifiedTokens } from "./verified_tokens.ts";

Deno.test("VerifiedTokens forgets a token at its end", () => {
  const verified = new VerifiedTokens<string>();
  verified.add("token", "value", 1000);
  assertEquals(verified.get("token", 999), "value");
  assertEquals(verified.get("other", 999), undefined);
  assertEquals(verified.get("token", 1000), undefined);
  assertEquals(verified.size, 0);
});

Deno.test("VerifiedTokens holds a bounded number and drops the first", () => {
  const verified = new VerifiedTokens<number>(3);
  for (let i = 0; i < 100; i++) verified.add(`token ${i}`, i, 1000);
  verified.add("token 99", 100, 1000);
  assertEquals(verified.size, 3);
  assertEquals(verified.get("token 96", 0), undefined);
  assertEquals(verified.get("token 97", 0), 97);
  assertEquals(verified.get("token 99", 0), 100);
});
