import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { CALLER, testAuth } from "../../testing/auth.ts";
import { testDatabase } from "../../testing/database.ts";
import type { Database } from "../database/mod.ts";
import { ConfabError } from "../errors.ts";
import { newId } from "../ids.ts";
import { authenticate } from "./access.ts";
import { guest, refresh, type SignInResult } from "./sign_in.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

async function codeOf(work: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => work, ConfabError)).code;
}

/** The session of an answer. */
function sessionOf({ refreshToken }: SignInResult): string {
  return refreshToken.split(".")[0]!;
}

/** Makes the last rotation of a session `seconds` older. */
async function age(
  db: Database,
  session: string,
  seconds: number,
) {
  await db.query(
    `update sessions set rotated_at = rotated_at - $2::float8 * interval '1 second' where id = $1`,
    [session, seconds],
  );
}

Deno.test("refreshing a session", strict, async (t) => {
  await using database = await testDatabase();
  const { db } = database;
  const step = (name: string, fn: () => Promise<void>) => t.step({ name, fn, ...strict });

  await step("refresh() rotates and the session goes on", async () => {
    const auth = await testAuth(db);
    let current = await guest(auth, { displayName: "One" }, CALLER);
    const session = sessionOf(current);
    await db.query(`update principals set name = 'Two' where id = $1`, [current.user.id]);
    const seen = new Set([current.refreshToken]);
    for (let i = 0; i < 5; i++) {
      current = await refresh(auth, current);
      assert(!seen.has(current.refreshToken));
      seen.add(current.refreshToken);
      assertEquals(sessionOf(current), session);
    }
    assertEquals(current.user.name, "Two");
    assertEquals((await authenticate(auth, current.accessToken)).name, "Two");
  });

  await step("refresh() moves the end of the session", async () => {
    const auth = await testAuth(db);
    const result = await guest(auth, {}, CALLER);
    const session = sessionOf(result);
    await db.query(`update sessions set expires_at = now() + interval '1 minute' where id = $1`, [
      session,
    ]);
    await refresh(auth, result);
    const [row] = await db.query<{ days: number }>(
      `select round(extract(epoch from expires_at - now()) / 86400)::int as days from sessions where id = $1`,
      [session],
    );
    assertEquals(row!.days, 30);
  });

  await step("refresh() may be repeated for 10 s after a lost answer", async () => {
    const auth = await testAuth(db);
    const first = await guest(auth, {}, CALLER);
    const lost = await refresh(auth, first);
    await age(db, sessionOf(first), 5);
    const repeated = await refresh(auth, first);
    assertEquals(repeated.refreshToken, lost.refreshToken);
    await authenticate(auth, repeated.accessToken);
    // The pair works, and repeating did not give more time.
    await age(db, sessionOf(first), 6);
    assertEquals(await codeOf(refresh(auth, first)), "refresh_reused");
  });

  await step("refresh() after a repeat goes on with the pair of either answer", async () => {
    const auth = await testAuth(db);
    const first = await guest(auth, {}, CALLER);
    const [one, two] = [await refresh(auth, first), await refresh(auth, first)];
    await age(db, sessionOf(first), 60);
    const next = await refresh(auth, one);
    assertEquals((await refresh(auth, two)).refreshToken, next.refreshToken);
    assertEquals(auth.told, []);
  });

  await step("20 refreshes of one token at once all end with the same working pair", async () => {
    const auth = await testAuth(db);
    for (let round = 0; round < 5; round++) {
      const first = await guest(auth, {}, CALLER);
      const results = await Promise.all(Array.from({ length: 20 }, () => refresh(auth, first)));
      assertEquals(new Set(results.map((each) => each.refreshToken)).size, 1);
      for (const each of results) await authenticate(auth, each.accessToken);
      await age(db, sessionOf(first), 60);
      const next = await refresh(auth, results[7]!);
      await refresh(auth, next);
    }
    assertEquals(auth.told, []);
  });

  await step(
    "a late repeat that races with the next refresh never breaks the pair silently",
    async () => {
      const auth = await testAuth(db);
      for (let round = 0; round < 10; round++) {
        const first = await guest(auth, {}, CALLER);
        const second = await refresh(auth, first);
        const results = await Promise.allSettled(
          Array.from({ length: 12 }, (_, i) => refresh(auth, i % 3 === 1 ? second : first)),
        );
        const answers = results.flatMap((each) => each.status === "fulfilled" ? [each.value] : []);
        const third = answers.find((each) => each.refreshToken !== second.refreshToken)!;
        // The repeats came before the rotation, or were noticed after it.
        const noticed = results.some((each) => each.status === "rejected");
        if (noticed) assertEquals(await codeOf(refresh(auth, third)), "session_revoked");
        else await refresh(auth, third);
      }
    },
  );

  await step("refresh() takes the previous token after 10 s for a stolen one", async () => {
    const auth = await testAuth(db);
    const first = await guest(auth, {}, CALLER);
    const second = await refresh(auth, first);
    await age(db, sessionOf(first), 11);
    assertEquals(await codeOf(refresh(auth, first)), "refresh_reused");
    assertEquals(auth.told, [{ session: sessionOf(first) }]);
    assertEquals(await codeOf(refresh(auth, second)), "session_revoked");
    assertEquals(await codeOf(authenticate(auth, second.accessToken)), "session_revoked");
    assertEquals(await codeOf(refresh(auth, first)), "refresh_reused");
  });

  await step("refresh() takes any older token for a stolen one, at once", async () => {
    const auth = await testAuth(db);
    const first = await guest(auth, {}, CALLER);
    const third = await refresh(auth, await refresh(auth, first));
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => codeOf(refresh(auth, first))),
    );
    assertEquals(new Set(outcomes), new Set(["refresh_reused"]));
    assertEquals(await codeOf(refresh(auth, third)), "session_revoked");
  });

  await step("refresh() does not let noise with a session's id end the session", async () => {
    const auth = await testAuth(db);
    const result = await guest(auth, {}, CALLER);
    const noise = [
      `${sessionOf(result)}.${"A".repeat(43)}`,
      `${newId()}.${result.refreshToken.split(".")[1]}`,
      "",
      "\0",
      `${result.refreshToken}A`,
      result.accessToken,
    ];
    for (const refreshToken of noise) {
      assertEquals(await codeOf(refresh(auth, { refreshToken })), "refresh_invalid");
    }
    assertEquals(auth.told, []);
    await refresh(auth, result);
  });

  await step("refresh() refuses ended sessions and disabled accounts", async () => {
    const auth = await testAuth(db);
    const [expired, disabled] = [await guest(auth, {}, CALLER), await guest(auth, {}, CALLER)];
    await db.query(`update sessions set expires_at = now() where id = $1`, [sessionOf(expired)]);
    await db.query(`update principals set disabled_at = now() where id = $1`, [disabled.user.id]);
    assertEquals(await codeOf(refresh(auth, expired)), "refresh_invalid");
    assertEquals(await codeOf(refresh(auth, disabled)), "session_revoked");
  });

  await step("refresh() goes on after a change of the signing key", async () => {
    const before = await testAuth(db);
    const after = await testAuth(db);
    const first = await guest(before, {}, CALLER);
    const second = await refresh(after, first);
    // A repeat at a node that still has the former key replaces the pair with one that works.
    const repeated = await refresh(before, first);
    assertNotEquals(repeated.refreshToken, second.refreshToken);
    await refresh(after, repeated);
  });
});
