import { assert, assertEquals } from "@std/assert";
import { newId } from "../ids.ts";
import { KEPT_SECONDS, Revocations } from "./revocations.ts";

function access(issuedAt: number) {
  const principal = {
    id: newId(),
    kind: "user" as const,
    role: "user" as const,
    name: "n",
    session: newId(),
    expiresAt: issuedAt + 900_000,
  };
  return { principal, issuedAt };
}

Deno.test("Revocations refuses a revoked session whenever its token was made", () => {
  const revocations = new Revocations();
  const one = access(1_000_000);
  assertEquals(revocations.has(one), false);
  revocations.note({ session: one.principal.session }, 500_000);
  assert(revocations.has(one));
  assertEquals(revocations.has(access(1_000_000)), false);
});

Deno.test("Revocations refuses what a principal had, and not what it gets later", () => {
  const revocations = new Revocations();
  const one = access(1_000_000);
  revocations.note({ principal: one.principal.id }, 1_000_400);
  assert(revocations.has(one));
  assertEquals(revocations.has({ ...one, issuedAt: 1_001_000 }), false);
});

Deno.test("Revocations keeps an entry until every token of before has expired", () => {
  const revocations = new Revocations();
  const one = access(0);
  revocations.note({ session: one.principal.session }, 0);
  revocations.note({ session: newId() }, KEPT_SECONDS * 1000 - 1);
  assert(revocations.has(one));
  revocations.note({ session: newId() }, KEPT_SECONDS * 1000);
  assertEquals(revocations.has(one), false);
  assertEquals(revocations.size, 2);
});

Deno.test("Revocations holds a bounded number and forgets the oldest", () => {
  const revocations = new Revocations(10);
  const first = access(0);
  const last = access(0);
  revocations.note({ session: first.principal.session }, 0);
  for (let i = 0; i < 20; i++) {
    revocations.note({ session: newId() }, i);
    revocations.note({ principal: newId() }, i);
  }
  revocations.note({ session: last.principal.session }, 20);
  assertEquals(revocations.size, 20);
  assertEquals(revocations.has(first), false);
  assert(revocations.has(last));
});
