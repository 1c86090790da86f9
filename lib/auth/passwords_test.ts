import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { ConfabError } from "../errors.ts";
import { type Argon2, loadArgon2, nativeArgon2 } from "./argon2.ts";
import { inlineArgon2, workerArgon2 } from "./argon2_wasm.ts";
import { createPasswords } from "./passwords.ts";

// No sanitizers for native code and workers: their threads outlive a test by design.
const loose = { sanitizeOps: false, sanitizeResources: false };
const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const PHC = /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/;
const password = new TextEncoder().encode("pässwörd with ünicode 🔑");

async function implementations(): Promise<Argon2[]> {
  return [await nativeArgon2(), inlineArgon2(), await workerArgon2()];
}

Deno.test("every argon2 implementation verifies the hashes of the others", loose, async () => {
  const all = await implementations();
  for (const maker of all) {
    const phc = await maker.hash(password);
    assertMatch(phc, PHC);
    for (const reader of all) {
      assert(await reader.verify(phc, password), `${reader.name} refuses ${maker.name}`);
      assertEquals(await reader.verify(phc, password.subarray(1)), false);
    }
  }
  for (const each of all) each[Symbol.dispose]();
});

Deno.test(
  "every argon2 implementation refuses a malformed hash and still works",
  loose,
  async () => {
    for (const each of await implementations()) {
      await assertRejects(() => each.verify("$argon2id$nonsense", password));
      assert(await each.verify(await each.hash(password), password));
      each[Symbol.dispose]();
    }
  },
);

Deno.test("workerArgon2() rejects what was under way when it is stopped", loose, async () => {
  const argon2 = await workerArgon2();
  const under = assertRejects(() => argon2.hash(password), Error, "stopped");
  argon2[Symbol.dispose]();
  await under;
});

Deno.test("loadArgon2() finds an implementation here", loose, async () => {
  using argon2 = await loadArgon2();
  assert(await argon2.verify(await argon2.hash(password), password));
});

Deno.test("createPasswords() hashes with fresh salts and checks", loose, async () => {
  using passwords = createPasswords();
  const [one, two] = await Promise.all([passwords.hash("same same"), passwords.hash("same same")]);
  assertNotEquals(one, two);
  assert(await passwords.verify("same same", one));
  assertEquals(await passwords.verify("same samE", one), false);
});

Deno.test(
  "createPasswords() treats differently composed characters as the same",
  loose,
  async () => {
    using passwords = createPasswords();
    const phc = await passwords.hash("caf\u00e9 au lait");
    assert(await passwords.verify("cafe\u0301 au lait", phc));
  },
);

/** An implementation whose calls wait until they are released. */
function heldArgon2(concurrency: number) {
  const calls: { phc?: string; release(): void }[] = [];
  const call = <T>(value: T, phc?: string) =>
    new Promise<T>((resolve) => {
      calls.push({ ...(phc === undefined ? {} : { phc }), release: () => resolve(value) });
    });
  const argon2: Argon2 = {
    name: "inline",
    concurrency,
    hash: () => call("hash"),
    verify: (phc) => call(true, phc),
    [Symbol.dispose]() {},
  };
  return { argon2, calls };
}

/** Lets everything that is ready run. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

Deno.test("verify() does the work on a stand-in when there is no hash", strict, async () => {
  const { argon2, calls } = heldArgon2(1);
  using passwords = createPasswords({ load: () => Promise.resolve(argon2) });
  const answer = passwords.verify("whatever", undefined);
  await settle();
  assertEquals(calls.length, 1);
  assertMatch(calls[0]!.phc!, PHC);
  calls[0]!.release();
  // Even if the stand-in's password were found, nobody would be signed in.
  assertEquals(await answer, false);
});

Deno.test(
  "createPasswords() runs a bounded number at once and refuses beyond the queue",
  strict,
  async () => {
    const { argon2, calls } = heldArgon2(2);
    using passwords = createPasswords({
      load: () => Promise.resolve(argon2),
      maxWaitingPerSlot: 2,
    });
    const first = passwords.hash("x");
    await settle();
    const others = Array.from({ length: 5 }, () => passwords.hash("x"));
    await settle();
    assertEquals(calls.length, 2);
    const refused = await assertRejects(() => passwords.hash("x"), ConfabError);
    assertEquals(refused.code, "overloaded");
    for (let i = 0; i < 6; i++) {
      calls[i]!.release();
      await settle();
      assert(calls.length <= i + 3);
    }
    assertEquals(await Promise.all([first, ...others]), Array(6).fill("hash"));
    assertEquals(calls.length, 6);
  },
);

Deno.test("createPasswords() gives the slot back after a failure", strict, async () => {
  const failing: Argon2 = {
    name: "inline",
    concurrency: 1,
    hash: () => Promise.reject(new Error("Failed")),
    verify: () => Promise.resolve(true),
    [Symbol.dispose]() {},
  };
  using passwords = createPasswords({ load: () => Promise.resolve(failing), maxWaitingPerSlot: 0 });
  for (let i = 0; i < 3; i++) await assertRejects(() => passwords.hash("x"), Error, "Failed");
  assert(await passwords.verify("x", "phc"));
});

Deno.test("createPasswords() accepts no empty and no endless password", strict, async () => {
  using passwords = createPasswords({ load: () => Promise.reject(new Error("Not reached")) });
  for (const bad of ["", "x".repeat(10_000), "\u{fdfa}".repeat(8000)]) {
    const error = await assertRejects(() => passwords.hash(bad), ConfabError);
    assertEquals(error.code, "invalid_request");
    assertEquals(await passwords.verify(bad, "phc"), false);
  }
});
