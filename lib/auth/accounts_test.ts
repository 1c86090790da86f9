import { assert, assertEquals, assertRejects } from "@std/assert";
import { CALLER, newUsername, testAuth } from "../../testing/auth.ts";
import { testDatabase } from "../../testing/database.ts";
import { ConfabError } from "../errors.ts";
import { newId } from "../ids.ts";
import { createDevice, endDevice } from "../store/devices.ts";
import { authenticate } from "./access.ts";
import { deleteMe, getUser, me, searchUsers, updateMe } from "./accounts.ts";
import type { AuthContext } from "./context.ts";
import { guest, login, refresh, register } from "./sign_in.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const password = "long enough";

async function codeOf(work: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => work, ConfabError)).code;
}

async function person(auth: AuthContext, username = newUsername(), displayName = username) {
  const result = await register(auth, { username, password, displayName }, CALLER);
  return { ...result, principal: await authenticate(auth, result.accessToken) };
}

Deno.test("accounts", strict, async (t) => {
  await using database = await testDatabase();
  const { db } = database;
  const auth = await testAuth(db);
  const step = (name: string, fn: () => Promise<void>) => t.step({ name, fn, ...strict });

  await step("updateMe() changes what is given and me() shows it", async () => {
    const { principal, user } = await person(auth);
    assertEquals(await me(auth, principal), user);
    assertEquals(await updateMe(auth, principal, {}), user);
    const renamed = await updateMe(auth, principal, { displayName: "Ünï 🔑" });
    assertEquals(renamed, { ...user, name: "Ünï 🔑" });
    const metadata = { avatar: "a.png", nested: { list: [1, null, "\"'\\"] } };
    assertEquals(await updateMe(auth, principal, { metadata }), { ...renamed, metadata });
    assertEquals((await updateMe(auth, principal, { metadata: {} })).metadata, {});
    assertEquals((await me(auth, principal)).name, "Ünï 🔑");
    for (const displayName of ["", " ", "\0", "\ud800", "x".repeat(81)]) {
      assertEquals(await codeOf(updateMe(auth, principal, { displayName })), "invalid_request");
    }
  });

  await step("deleteMe() ends the account after its devices, and erases who it was", async () => {
    const { told } = auth;
    const username = newUsername();
    const { principal, user, accessToken, refreshToken } = await person(auth, username);
    await updateMe(auth, principal, { metadata: { mail: "x" } });
    const device = newId();
    const other = await person(auth);
    told.length = 0;
    let left = 0;
    await deleteMe(auth, principal, async () => {
      if (++left === 1) await createDevice(db, device, user.id, "Lamp", 10);
      else await endDevice(db, device, user.id);
    });
    assertEquals([left, told], [2, [{ principal: user.id }]], "it leaves again");
    assertEquals(await codeOf(authenticate(auth, accessToken)), "session_revoked");
    assertEquals(await codeOf(refresh(auth, { refreshToken })), "session_revoked");
    assertEquals(await codeOf(login(auth, { username, password }, CALLER)), "invalid_credentials");
    assertEquals(await codeOf(me(auth, principal)), "session_revoked");
    assertEquals(await codeOf(updateMe(auth, principal, { displayName: "x" })), "session_revoked");
    assertEquals(await codeOf(getUser(auth, user.id)), "not_found");
    await deleteMe(auth, principal, () => Promise.resolve());
    assertEquals(told.length, 1);

    const [row] = await db.query(
      `select p.*, (select count(*) from passwords w where w.principal_id = p.id) as passwords
       from principals p where p.id = $1`,
      [user.id],
    );
    const { username: free, name, metadata, passwords } = row!;
    assertEquals({ free, name, metadata, passwords }, {
      free: null,
      name: "Deleted account",
      metadata: {},
      passwords: 0,
    });
    // The name is free for somebody else, and the others are untouched.
    const next = await person(auth, username);
    assert(next.user.id !== user.id);
    await authenticate(auth, other.accessToken);
  });

  await step("getUser() shows public fields of users and guests, and no devices", async () => {
    const { user } = await person(auth);
    const { id, kind, name, username, metadata } = user;
    assertEquals(await getUser(auth, id), { id, kind, name, username: username!, metadata });
    const visitor = (await guest(auth, { displayName: "Visitor" }, CALLER)).user;
    assertEquals(await getUser(auth, visitor.id), {
      id: visitor.id,
      kind: "guest",
      name: "Visitor",
      metadata: {},
    });
    const device = newId();
    await createDevice(db, device, id, "Lamp", 10);
    for (const unknown of [device, newId(), "", "x", "\0"]) {
      assertEquals(await codeOf(getUser(auth, unknown)), "not_found");
    }
  });

  await step("searchUsers() finds by the beginning of name or username, page by page", async () => {
    const tag = `q${crypto.randomUUID().slice(0, 8)}`;
    const ids = new Set<string>();
    for (let i = 0; i < 7; i++) {
      // Names that are equal, and names that are found by the username alone.
      const made = await person(
        auth,
        `${tag}${i}`,
        i < 4 ? `${tag.toUpperCase()} Same` : `Zed ${i}`,
      );
      ids.add(made.user.id);
    }
    const gone = await person(auth, `${tag}-gone`);
    await deleteMe(auth, gone.principal, () => Promise.resolve());
    await guest(auth, { displayName: `${tag} guest` }, CALLER);
    const found: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page: Awaited<ReturnType<typeof searchUsers>> = await searchUsers(auth, tag, {
        limit: 3,
        ...(cursor === undefined ? {} : { cursor }),
      });
      assert(page.items.length <= 3);
      found.push(...page.items.map((each) => each.id));
      cursor = page.next ?? undefined;
      pages++;
    } while (cursor !== undefined);
    assertEquals([pages, found.length], [3, 7]);
    assertEquals(new Set(found), ids);
    const [one] = (await searchUsers(auth, `${tag}5`, { limit: 9 })).items;
    assertEquals(Object.keys(one!).sort(), ["id", "kind", "metadata", "name", "username"]);
  });

  await step("searchUsers() takes wildcards literally and refuses foreign cursors", async () => {
    const tag = crypto.randomUUID().slice(0, 8);
    const { user } = await person(auth, newUsername(), `${tag}%_\\ odd`);
    await person(auth, newUsername(), `${tag}xxx odd`);
    const names = async (q: string) =>
      (await searchUsers(auth, q, { limit: 9 })).items.map((each) => each.id);
    assertEquals(await names(`${tag}%`), [user.id]);
    assertEquals(await names(`${tag}%_\\ O`), [user.id]);
    assertEquals(await names(`${tag}__`), []);
    assertEquals((await names(tag)).length, 2);
    for (
      const cursor of [
        "",
        "x",
        btoa('["a"]'),
        btoa('["a","b"]'),
        btoa('{"a":1}'),
        btoa(JSON.stringify(["\ud800", newId()])),
      ]
    ) {
      assertEquals(await codeOf(searchUsers(auth, "", { limit: 9, cursor })), "invalid_cursor");
    }
    for (const q of ["\0", "\ud800", "x".repeat(10_000)]) {
      assertEquals(await codeOf(searchUsers(auth, q, { limit: 9 })), "invalid_request");
    }
  });
});
