import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { createLocalJWKSet, jwtVerify } from "jose";
import { type TestApp, testApp } from "../testing/app.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

async function codeOf(app: TestApp, path: string, body: unknown): Promise<[number, string]> {
  const answer = await app.request("POST", path, { body });
  return [answer.status, answer.body.code];
}

Deno.test("register, login, refresh and logout are one life of a session", strict, async () => {
  await using app = await testApp();
  const account = { username: "Ada_L", password: "correct horse battery", displayName: "Ada" };
  const made = await app.request("POST", "/v1/auth/register", { body: account });
  assertEquals(made.status, 201);
  const { user } = made.body;
  assertEquals([user.kind, user.role, user.name, user.username], ["user", "user", "Ada", "Ada_L"]);
  assertEquals(made.headers.get("cache-control"), "no-store");
  assertEquals(await codeOf(app, "/v1/auth/register", { ...account, username: "ada_l" }), [
    409,
    "username_taken",
  ]);
  const { username, password } = account;
  const login = await app.request("POST", "/v1/auth/login", { body: { username, password } });
  assertEquals(login.body.user, user);
  const { accessToken, refreshToken } = login.body;
  const renewed = await app.request("POST", "/v1/auth/refresh", { body: { refreshToken } });
  assertEquals(renewed.status, 200);
  assertNotEquals(renewed.body.refreshToken, refreshToken);
  const logout = await app.request("POST", "/v1/auth/logout", { token: renewed.body.accessToken });
  assertEquals([logout.status, logout.text], [204, ""]);
  const me = await app.request("GET", "/v1/me", { token: accessToken });
  assertEquals([me.status, me.body.code], [401, "session_revoked"]);
  const after = { refreshToken: renewed.body.refreshToken };
  assertEquals((await codeOf(app, "/v1/auth/refresh", after))[0], 401);
});

Deno.test("a wrong password and an unknown username get the same answer", strict, async () => {
  await using app = await testApp();
  const { user } = await app.register("grace");
  const problemFor = async (username: string) => {
    const body = { username, password: "a wrong password" };
    const { status, body: { requestId: _, ...problem } } = await app.request(
      "POST",
      "/v1/auth/login",
      { body },
    );
    return { status, problem };
  };
  const known = await problemFor(user.username);
  assertEquals(known.problem.code, "invalid_credentials");
  assertEquals(await problemFor("nobody-at-all"), known);
  assertEquals(await problemFor("not a username!"), known);
});

Deno.test("sign-ins are throttled per /64 of IPv6, not per address", strict, async () => {
  await using app = await testApp({ LIMIT_LOGINS_PER_MINUTE: "1", TRUST_PROXY: "1" });
  const from = async (address: string) => {
    const headers = { "x-forwarded-for": address };
    return (await app.request("POST", "/v1/auth/guest", { body: {}, headers })).status;
  };
  for (let i = 0; i < 10; i++) assertEquals(await from(`2001:db8:0:1::${i}`), 201);
  assertEquals(await from("2001:db8:0:1:ffff::1"), 429);
  assertEquals(await from("2001:db8:0:2::1"), 201);
});

Deno.test("login is throttled per username", strict, async () => {
  await using app = await testApp({ LIMIT_LOGINS_PER_MINUTE: "3" });
  const body = { username: "somebody", password: "a wrong password" };
  const codes: string[] = [];
  for (let i = 0; i < 4; i++) codes.push((await codeOf(app, "/v1/auth/login", body))[1]);
  assertEquals(codes, [...Array(3).fill("invalid_credentials"), "rate_limited"]);
});

Deno.test("register refuses names and passwords that are not accepted", strict, async () => {
  await using app = await testApp();
  const good = { username: "ada", password: "correct horse battery" };
  const bad = [
    { username: "ab" },
    { username: "with space" },
    { username: "x".repeat(33) },
    { username: "ädä" },
    { username: 7 },
    { password: "short" },
    { password: "x".repeat(257) },
    { password: "long enough \u0000" },
    { password: "long enough \ud800" },
    { displayName: "" },
    { displayName: " x" },
    { displayName: "x".repeat(81) },
    { role: "admin" },
  ];
  for (const change of bad) {
    assertEquals(await codeOf(app, "/v1/auth/register", { ...good, ...change }), [
      400,
      "invalid_request",
    ]);
  }
  assertEquals(await codeOf(app, "/v1/auth/register", { username: "ada" }), [
    400,
    "invalid_request",
  ]);
});

Deno.test("a guest signs in without an account and makes no rooms", strict, async () => {
  await using app = await testApp();
  const guest = await app.request("POST", "/v1/auth/guest");
  assertEquals(guest.status, 201);
  assertEquals([guest.body.user.kind, guest.body.user.role], ["guest", "guest"]);
  assertEquals("username" in guest.body.user, false);
  const token = guest.body.accessToken;
  const body = { name: "A", visibility: "public" };
  const room = await app.request("POST", "/v1/rooms", { token, body });
  assertEquals([room.status, room.body.code], [403, "forbidden"]);
  const named = await app.request("POST", "/v1/auth/guest", { body: { displayName: "Visitor" } });
  assertEquals(named.body.user.name, "Visitor");
});

Deno.test("bearer tokens that are missing, expired or not ours are 401", strict, async () => {
  await using app = await testApp();
  await using elsewhere = await testApp();
  const { token } = await app.register();
  const codeFor = async (authorization?: string) => {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const answer = await app.request("GET", "/v1/me", { headers });
    return [answer.status, answer.body.code];
  };
  assertEquals(await codeFor(), [401, "unauthenticated"]);
  assertEquals(await codeFor("Basic YTpi"), [401, "unauthenticated"]);
  assertEquals(await codeFor("Bearer"), [401, "unauthenticated"]);
  assertEquals(await codeFor("Bearer a.b.c"), [401, "token_invalid"]);
  assertEquals(await codeFor(`Bearer ${token.slice(0, -4)}AAAA`), [401, "token_invalid"]);
  const foreign = (await elsewhere.register()).token;
  assertEquals(await codeFor(`Bearer ${foreign}`), [401, "token_invalid"]);
  assertEquals(await codeFor(`Bearer ${"x".repeat(60_000)}`), [401, "token_invalid"]);
  assertEquals((await codeFor(`bearer ${token}`))[0], 200);
});

Deno.test("a ticket is not an access token, and an access token not a ticket", strict, async () => {
  await using app = await testApp();
  const { token } = await app.register();
  const { status, body } = await app.request("POST", "/v1/auth/ticket", { token });
  assertEquals([status, body.expiresIn], [200, 30]);
  const misused = await app.request("GET", "/v1/me", { token: body.ticket });
  assertEquals(misused.body.code, "token_invalid");
  assertEquals((await app.request("POST", "/v1/auth/ticket")).status, 401);
});

Deno.test("sessions are listed and revoked by their owner only", strict, async () => {
  await using app = await testApp();
  const ada = await app.register("ada");
  const eve = await app.register("eve");
  const body = { username: ada.user.username, password: "correct horse battery" };
  const headers = { "user-agent": "Second client" };
  const second = await app.request("POST", "/v1/auth/login", { body, headers });
  const { items, next } = (await app.request("GET", "/v1/auth/sessions", ada)).body;
  assertEquals([items.length, next], [2, null]);
  const other = items.find(({ current }: { current: boolean }) => !current);
  assertEquals(other.client, "Second client");
  const revoke = async (token: string, id: string) =>
    (await app.request("DELETE", `/v1/auth/sessions/${id}`, { token })).status;
  assertEquals(await revoke(eve.token, other.id), 404);
  assertEquals(await revoke(ada.token, "not-an-id"), 404);
  assertEquals(await revoke(ada.token, other.id), 204);
  assertEquals(await revoke(ada.token, other.id), 404);
  const ended = await app.request("GET", "/v1/me", { token: second.body.accessToken });
  assertEquals(ended.body.code, "session_revoked");
  assertEquals((await app.request("GET", "/v1/me", ada)).status, 200);
});

Deno.test(
  "introspection takes forms and JSON, and says nothing about bad tokens",
  strict,
  async () => {
    await using app = await testApp();
    const ada = await app.register("ada");
    const eve = await app.register("eve");
    const form = (fields: Record<string, string>) =>
      app.request("POST", "/v1/auth/introspect", {
        token: eve.token,
        raw: new URLSearchParams(fields).toString(),
        headers: { "content-type": "application/x-www-form-urlencoded" },
      });
    const good = await form({ token: ada.token, token_type_hint: "access_token", client_id: "x" });
    assertEquals([good.status, good.body.active, good.body.sub], [200, true, ada.user.id]);
    const asJson = await app.request("POST", "/v1/auth/introspect", {
      token: eve.token,
      body: { token: ada.token },
    });
    assertEquals(asJson.body, good.body);
    assertEquals((await form({ token: "nonsense" })).body, { active: false });
    assertEquals((await form({})).status, 400);
    assertEquals((await app.request("POST", "/v1/auth/introspect", { body: {} })).status, 401);
    await app.request("POST", "/v1/auth/logout", ada);
    assertEquals((await form({ token: ada.token })).body, { active: false });
  },
);

Deno.test("access tokens verify with the published keys", strict, async () => {
  await using app = await testApp();
  const { token, user } = await app.register();
  const { body, headers } = await app.request("GET", "/.well-known/jwks.json");
  assertMatch(headers.get("cache-control")!, /max-age/);
  assert(!("d" in body.keys[0]));
  const { payload } = await jwtVerify(token, createLocalJWKSet(body), { issuer: "confab" });
  assertEquals(payload.sub, user.id);
});
