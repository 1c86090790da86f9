import { assert, assertEquals, assertRejects } from "@std/assert";
import { CALLER, newUsername, testAuth } from "../../testing/auth.ts";
import { testDatabase } from "../../testing/database.ts";
import { ConfabError } from "../errors.ts";
import { newId } from "../ids.ts";
import { revokedAmong } from "../store/revocations.ts";
import { deleteExpiredSessions } from "../store/sessions.ts";
import { deleteExpiredTickets } from "../store/tickets.ts";
import {
  authenticate,
  introspect,
  issueTicket,
  noteRevocation,
  redeemTicket,
  syncRevocations,
} from "./access.ts";
import { deleteMe } from "./accounts.ts";
import { generateKeys, loadKeys } from "./keys.ts";
import { listSessions, logout, revokeSession } from "./sessions.ts";
import { guest, login, refresh, register } from "./sign_in.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

async function codeOf(work: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => work, ConfabError)).code;
}

Deno.test("sessions, tickets and what ends them", strict, async (t) => {
  await using database = await testDatabase();
  const { db } = database;
  const step = (name: string, fn: () => Promise<void>) => t.step({ name, fn, ...strict });
  /** Two nodes with the same keys, and somebody signed in at the first. */
  const setUp = async (clock?: () => number) => {
    const keys = await loadKeys(await generateKeys());
    const options = { keys, ...(clock === undefined ? {} : { clock }) };
    const [auth, other] = [await testAuth(db, options), await testAuth(db, options)];
    const result = await guest(auth, {}, CALLER);
    const principal = await authenticate(auth, result.accessToken);
    return { auth, other, result, principal, token: result.accessToken };
  };

  await step(
    "redeemTicket() gives the principal of the ticket, with the end of its access",
    async () => {
      const { auth, other, principal } = await setUp();
      const { ticket, expiresIn } = await issueTicket(auth, principal);
      assertEquals(expiresIn, 30);
      assertEquals(await redeemTicket(other, ticket), principal);
      assertEquals(await codeOf(redeemTicket(auth, ticket)), "ticket_invalid");
    },
  );

  await step("of 20 redemptions of one ticket at once, one wins", async () => {
    const { auth, other, principal } = await setUp();
    for (let round = 0; round < 5; round++) {
      const { ticket } = await issueTicket(auth, principal);
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) => redeemTicket(i % 2 ? auth : other, ticket)),
      );
      assertEquals(results.filter((each) => each.status === "fulfilled").length, 1);
      for (const each of results) {
        if (each.status === "rejected") assertEquals(each.reason.code, "ticket_invalid");
      }
    }
  });

  await step(
    "redeemTicket() refuses tickets of ended sessions and accounts, and other tokens",
    async () => {
      const { auth, other, principal, token, result } = await setUp();
      const { ticket } = await issueTicket(auth, principal);
      await logout(other, principal);
      for (const bad of [ticket, token, result.refreshToken, "", "\0"]) {
        assertEquals(await codeOf(redeemTicket(auth, bad)), "ticket_invalid");
      }
      const second = await setUp();
      const issued = await issueTicket(second.auth, second.principal);
      await db.query(`update principals set disabled_at = now() where id = $1`, [
        second.principal.id,
      ]);
      assertEquals(await codeOf(redeemTicket(second.auth, issued.ticket)), "ticket_invalid");
    },
  );

  await step("issueTicket() and logout() refuse a principal without a session", async () => {
    const { auth } = await setUp();
    const device = { id: newId(), kind: "device" as const, role: "device" as const, name: "d" };
    assertEquals(await codeOf(issueTicket(auth, device)), "forbidden");
    assertEquals(await codeOf(logout(auth, device)), "forbidden");
  });

  await step(
    "logout() ends the access here at once, elsewhere with the bus or the database",
    async () => {
      const { auth, other, principal, result, token } = await setUp();
      await authenticate(other, token);
      await logout(auth, principal);
      await logout(auth, principal);
      assertEquals(auth.told[0], { session: principal.session });
      assertEquals(await codeOf(authenticate(auth, token)), "session_revoked");
      assertEquals(await codeOf(refresh(other, result)), "session_revoked");
      await authenticate(other, token);
      await syncRevocations(other);
      assertEquals(await codeOf(authenticate(other, token)), "session_revoked");

      const second = await setUp();
      await logout(second.auth, second.principal);
      for (const each of second.auth.told) noteRevocation(second.other, each);
      assertEquals(await codeOf(authenticate(second.other, second.token)), "session_revoked");
    },
  );

  await step("syncRevocations() reads no further back than it is told", async () => {
    const { auth, other, principal, token } = await setUp();
    await logout(auth, principal);
    await db.query(
      `update sessions set revoked_at = revoked_at - interval '5 minutes' where id = $1`,
      [
        principal.session,
      ],
    );
    await syncRevocations(other, 60);
    await authenticate(other, token);
    await syncRevocations(other, 400);
    assertEquals(await codeOf(authenticate(other, token)), "session_revoked");
  });

  await step("syncRevocations() learns of disabled accounts", async () => {
    const { other, principal, token } = await setUp();
    await db.query(`update principals set disabled_at = now() where id = $1`, [principal.id]);
    await syncRevocations(other);
    assertEquals(await codeOf(authenticate(other, token)), "session_revoked");
  });

  await step(
    "listSessions() shows one's live sessions and revokeSession() ends only those",
    async () => {
      const { auth, result: stranger } = await setUp();
      const input = { username: newUsername(), password: "long enough" };
      const one = await register(auth, input, { ...CALLER, client: "Laptop" });
      const two = await login(auth, input, { ...CALLER, client: "Phone" });
      const principal = await authenticate(auth, one.accessToken);
      const sessions = await listSessions(auth, principal);
      assertEquals(sessions.map((each) => [each.client, each.current]), [["Phone", false], [
        "Laptop",
        true,
      ]]);
      for (const { createdAt, lastUsedAt, expiresAt } of sessions) {
        assert(createdAt <= lastUsedAt && lastUsedAt < expiresAt);
      }
      assert(!JSON.stringify(sessions).includes("hash"));
      const foreign = stranger.refreshToken.split(".")[0]!;
      for (const id of [foreign, newId(), "", "x", "\0"]) {
        assertEquals(await codeOf(revokeSession(auth, principal, id)), "not_found");
      }
      await revokeSession(auth, principal, sessions[0]!.id);
      assertEquals(await codeOf(revokeSession(auth, principal, sessions[0]!.id)), "not_found");
      assertEquals(auth.told, [{ session: sessions[0]!.id }]);
      assertEquals(await codeOf(authenticate(auth, two.accessToken)), "session_revoked");
      assertEquals((await listSessions(auth, principal)).map((each) => each.client), ["Laptop"]);
      await refresh(auth, stranger);
    },
  );

  await step("introspect() says what the database says at this moment", async () => {
    const { auth, other, principal, token, result } = await setUp();
    const iat = principal.expiresAt / 1000 - 900;
    assertEquals(await introspect(other, token), {
      active: true,
      sub: principal.id,
      sid: principal.session,
      role: "guest",
      client_id: "confab",
      exp: iat + 900,
      iat,
      token_type: "Bearer",
    });
    const username = newUsername();
    const user = await register(auth, { username, password: "long enough" }, CALLER);
    const answer = await introspect(auth, user.accessToken);
    assert(answer.active);
    assertEquals(answer.username, username);
    await deleteMe(auth, await authenticate(auth, user.accessToken), () => Promise.resolve());
    const { ticket } = await issueTicket(auth, principal);
    await logout(auth, principal);
    for (const bad of [token, user.accessToken, result.refreshToken, ticket, "", "\0"]) {
      assertEquals(await introspect(other, bad), { active: false });
    }
  });

  await step("introspect() calls an expired token inactive", async () => {
    let now = Date.now();
    const { auth, token } = await setUp(() => now);
    now += 16 * 60_000;
    assertEquals(await introspect(auth, token), { active: false });
    assertEquals(await codeOf(authenticate(auth, token)), "token_expired");
  });

  await step("revokedAmong() names what has no access any more, and nothing else", async () => {
    const { auth, principal } = await setUp();
    const [live, disabled] = [await setUp(), await setUp()];
    await logout(auth, principal);
    await db.query(`update principals set disabled_at = now() where id = $1`, [
      disabled.principal.id,
    ]);
    const removed = newId();
    const found = await revokedAmong(
      db,
      [principal.session, live.principal.session, removed],
      [principal.id, live.principal.id, disabled.principal.id, removed],
    );
    assertEquals(found.sessions.sort(), [principal.session, removed].sort());
    assertEquals(found.principals.sort(), [disabled.principal.id, removed].sort());
    assertEquals(await revokedAmong(db, [], []), { sessions: [], principals: [] });
  });
});

Deno.test(
  "deleteExpiredTickets() and deleteExpiredSessions() remove what is over, in batches",
  strict,
  async () => {
    await using database = await testDatabase();
    const { db } = database;
    const auth = await testAuth(db);
    const results = [];
    for (let i = 0; i < 6; i++) results.push(await guest(auth, {}, CALLER));
    const ids = results.map((each) => each.refreshToken.split(".")[0]!);
    for (const result of results) {
      const principal = await authenticate(auth, result.accessToken);
      await redeemTicket(auth, (await issueTicket(auth, principal)).ticket);
    }
    assertEquals(await deleteExpiredTickets(db, 10), 0);
    assertEquals(await deleteExpiredSessions(db, 10), 0);
    await db.query(`update tickets set expires_at = now() - interval '1 second'`);
    await db.query(
      `update sessions set expires_at = now() - interval '1 second' where id = any($1)`,
      [
        ids.slice(0, 3),
      ],
    );
    await db.query(
      `update sessions set revoked_at = now() - case when id = $1 then interval '25 hours' else '1 hour' end
     where id = any($2)`,
      [ids[3]!, ids.slice(3, 5)],
    );
    assertEquals([await deleteExpiredTickets(db, 4), await deleteExpiredTickets(db, 4)], [4, 2]);
    assertEquals([await deleteExpiredSessions(db, 3), await deleteExpiredSessions(db, 3)], [3, 1]);
    const left = await db.query<{ id: string }>(`select id from sessions order by id`);
    assertEquals(left.map((row) => row.id), ids.slice(4).sort());
  },
);
