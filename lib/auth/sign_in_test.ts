import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { testDatabase } from "../../testing/database.ts";
import { CALLER, cheapPasswords, newUsername, openLimits, testAuth } from "../../testing/auth.ts";
import { ConfabError } from "../errors.ts";
import { createMemoryLimits } from "../limits/memory.ts";
import { authenticate } from "./access.ts";
import { createPasswords } from "./passwords.ts";
import { listSessions } from "./sessions.ts";
import { guest, login, MAX_SESSIONS, refresh, register, type SignInResult } from "./sign_in.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const PASSWORD = "correct horse battery";

async function codeOf(work: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => work, ConfabError)).code;
}

/** The session of an answer. */
function sessionOf({ refreshToken }: SignInResult): string {
  return refreshToken.split(".")[0]!;
}

Deno.test("signing up, in and as a guest", strict, async (t) => {
  await using database = await testDatabase();
  const { db } = database;
  const step = (name: string, fn: () => Promise<void>) => t.step({ name, fn, ...strict });

  await step(
    "register() signs in with what was given and stores no token or password",
    async () => {
      const auth = await testAuth(db);
      const username = newUsername();
      const result = await register(auth, { username, password: PASSWORD }, CALLER);
      const { id, createdAt, ...user } = result.user;
      assertEquals(user, { kind: "user", role: "user", username, name: username, metadata: {} });
      assertMatch(createdAt, /^\d{4}-.*Z$/);
      assertEquals(result.expiresIn, 900);
      const principal = await authenticate(auth, result.accessToken);
      assertEquals([principal.id, principal.session], [id, sessionOf(result)]);
      const [row] = await db.query(`select * from sessions where principal_id = $1`, [id]);
      assert(!JSON.stringify(row).includes(result.refreshToken.split(".")[1]!));
      const named = { username: newUsername(), password: PASSWORD, displayName: "Ünï 🔑" };
      assertEquals((await register(auth, named, CALLER)).user.name, "Ünï 🔑");
    },
  );

  await step(
    "register() gives a name once, whatever its case, under concurrent calls",
    async () => {
      const auth = await testAuth(db);
      const username = newUsername();
      const results = await Promise.allSettled(
        Array.from({ length: 10 }, (_, i) =>
          register(auth, {
            username: i % 2 === 0 ? username : username.toUpperCase(),
            password: PASSWORD,
          }, CALLER)),
      );
      assertEquals(results.filter((each) => each.status === "fulfilled").length, 1);
      for (const each of results) {
        if (each.status === "rejected") assertEquals(each.reason.code, "username_taken");
      }
    },
  );

  await step("register() and guest() refuse what the edge should have refused", async () => {
    const auth = await testAuth(db);
    const good = { username: newUsername(), password: PASSWORD };
    const bad = [
      { ...good, username: "ab" },
      { ...good, username: "with space" },
      { ...good, username: "nul\0nul" },
      { ...good, password: "seven77" },
      { ...good, password: "x".repeat(257) },
      { ...good, displayName: "" },
      { ...good, displayName: "\ud800" },
      { ...good, displayName: "x".repeat(81) },
    ];
    for (const input of bad) {
      assertEquals(await codeOf(register(auth, input, CALLER)), "invalid_request");
    }
    assertEquals(await codeOf(guest(auth, { displayName: "\0" }, CALLER)), "invalid_request");
    const emoji = { ...good, password: "🔑".repeat(256) };
    assertEquals(
      (await register(auth, emoji, { address: "x", client: "\0\ud800".repeat(500) })).user.kind,
      "user",
    );
  });

  await step("guest() makes a guest with its own name or a made one", async () => {
    const auth = await testAuth(db);
    const { user, accessToken } = await guest(auth, { displayName: "Visitor" }, CALLER);
    assertEquals([user.kind, user.role, user.name, user.username], [
      "guest",
      "guest",
      "Visitor",
      undefined,
    ]);
    assertEquals((await authenticate(auth, accessToken)).role, "guest");
    assertMatch((await guest(auth, {}, CALLER)).user.name, /^Guest [0-9a-f]{6}$/);
  });

  await step("login() finds the name in any case and starts another session", async () => {
    const auth = await testAuth(db);
    const username = newUsername();
    const first = await register(auth, { username, password: PASSWORD }, CALLER);
    const second = await login(
      auth,
      { username: username.toUpperCase(), password: PASSWORD },
      CALLER,
    );
    assertEquals(second.user, first.user);
    assertNotEquals(sessionOf(second), sessionOf(first));
  });

  await step(
    "login() does the same work for a name that nobody has as for a wrong password",
    async () => {
      const passwords = cheapPasswords();
      const limits = openLimits();
      const auth = await testAuth(db, { passwords, limits });
      const username = newUsername();
      const { user } = await register(auth, { username, password: PASSWORD }, CALLER);
      const disabled = newUsername();
      const gone = await register(auth, { username: disabled, password: PASSWORD }, CALLER);
      await db.query(`update principals set disabled_at = now() where id = $1`, [gone.user.id]);
      const errors = [];
      const attempts = [
        username,
        newUsername(),
        disabled,
        "no",
        "nul\0nul",
        "x".repeat(1000),
        "\ud800",
      ];
      for (const name of attempts) {
        const password = name === disabled ? PASSWORD : "wrong password";
        errors.push(
          await assertRejects(() => login(auth, { username: name, password }, CALLER), ConfabError),
        );
      }
      assertEquals(new Set(errors.map(({ code, message }) => `${code} ${message}`)).size, 1);
      assertEquals(errors[0]!.code, "invalid_credentials");
      // One comparison each; all but the wrong password are with the stand-in.
      const [real, ...standIns] = passwords.verified;
      assertEquals(real, `cheap:${PASSWORD}`);
      assertEquals(standIns, Array(attempts.length - 1).fill(undefined));
      assertEquals((await listSessions(auth, { ...user, role: "user" })).length, 1);
      assert(limits.keys.every((key) => key.length < 100 && !key.includes("\0")));
    },
  );

  await step("login() is throttled per username from any address, and per address", async () => {
    await using limits = createMemoryLimits({ now: () => 0 });
    const auth = await testAuth(db, { limits, loginsPerMinute: 3 });
    const username = newUsername();
    await register(auth, { username, password: PASSWORD }, CALLER);
    const attempt = (name: string, address: string) =>
      codeOf(login(auth, { username: name, password: "wrong password" }, { address, client: "" }));
    for (let i = 0; i < 3; i++) {
      assertEquals(await attempt(username, `192.0.2.${i}`), "invalid_credentials");
    }
    assertEquals(await attempt(username.toUpperCase(), "192.0.2.9"), "rate_limited");
    const locked = await assertRejects(
      () => login(auth, { username, password: PASSWORD }, { address: "192.0.2.10", client: "" }),
      ConfabError,
    );
    assert(locked.retryAfter! > 0);
    for (let i = 0; i < 30; i++) {
      assertEquals(await attempt(newUsername(), "198.51.100.1"), "invalid_credentials");
    }
    assertEquals(await attempt(newUsername(), "198.51.100.1"), "rate_limited");
    assertEquals(await attempt(newUsername(), "198.51.100.2"), "invalid_credentials");
  });

  await step("register() and guest() are throttled per address", async () => {
    await using limits = createMemoryLimits({ now: () => 0 });
    const auth = await testAuth(db, { limits, loginsPerMinute: 1 });
    const input = () => ({ username: newUsername(), password: PASSWORD });
    for (let i = 0; i < 10; i++) await register(auth, input(), CALLER);
    assertEquals(await codeOf(register(auth, input(), CALLER)), "rate_limited");
    for (let i = 0; i < 10; i++) await guest(auth, {}, CALLER);
    assertEquals(await codeOf(guest(auth, {}, CALLER)), "rate_limited");
    await guest(auth, {}, { ...CALLER, address: "198.51.100.7" });
  });

  await step("login() revokes the least recently used session beyond the limit", async () => {
    const auth = await testAuth(db);
    const input = { username: newUsername(), password: PASSWORD };
    const results = [await register(auth, input, CALLER)];
    for (let i = 1; i < MAX_SESSIONS; i++) results.push(await login(auth, input, CALLER));
    assertEquals(auth.told, []);
    await refresh(auth, results[0]!);
    const last = await login(auth, input, CALLER);
    assertEquals(auth.told, [{ session: sessionOf(results[1]!) }]);
    assertEquals(await codeOf(authenticate(auth, results[1]!.accessToken)), "session_revoked");
    assertEquals(await codeOf(refresh(auth, results[1]!)), "session_revoked");
    const sessions = await listSessions(auth, await authenticate(auth, last.accessToken));
    assertEquals(sessions.length, MAX_SESSIONS);
  });
});

// Native code starts threads that outlive the test.
Deno.test("register() and login() work with argon2id", {
  sanitizeOps: false,
  sanitizeResources: false,
}, async () => {
  await using database = await testDatabase();
  using auth = await testAuth(database.db, { passwords: createPasswords() });
  const username = newUsername();
  await register(auth, { username, password: PASSWORD }, CALLER);
  const [row] = await database.db.query<{ hash: string }>(`select hash from passwords`);
  assertMatch(row!.hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  assertEquals(
    (await login(auth, { username, password: PASSWORD }, CALLER)).user.username,
    username,
  );
  assertEquals(
    await codeOf(login(auth, { username, password: `${PASSWORD}!` }, CALLER)),
    "invalid_credentials",
  );
  assertEquals(
    await codeOf(login(auth, { username: newUsername(), password: PASSWORD }, CALLER)),
    "invalid_credentials",
  );
});
