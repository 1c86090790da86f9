import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { base64url, decodeJwt, decodeProtectedHeader, SignJWT } from "jose";
import { ConfabError } from "../errors.ts";
import { newId } from "../ids.ts";
import { generateKeys, loadKeys } from "./keys.ts";
import { ACCESS_SECONDS, createTokens, TICKET_SECONDS } from "./tokens.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const START = Date.UTC(2030, 0, 1);

async function setUp() {
  const time = { now: START };
  const keys = await loadKeys(await generateKeys());
  const tokens = createTokens({ keys, issuer: "https://chat.example.org", clock: () => time.now });
  const principal = {
    id: newId(),
    kind: "user" as const,
    role: "admin" as const,
    name: "Ünï 🔑",
    session: newId(),
  };
  return { time, keys, tokens, principal };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => work, ConfabError)).code;
}

Deno.test(
  "signAccess() makes a token in the form of RFC 9068 that says who acts",
  strict,
  async () => {
    const { keys, tokens, principal } = await setUp();
    const token = await tokens.signAccess(principal);
    assertEquals(decodeProtectedHeader(token), {
      alg: "EdDSA",
      typ: "at+jwt",
      kid: keys.signing.kid,
    });
    const { jti, ...claims } = decodeJwt(token);
    assert(typeof jti === "string");
    assertEquals(claims, {
      iss: "https://chat.example.org",
      aud: "confab",
      sub: principal.id,
      sid: principal.session,
      kind: "user",
      role: "admin",
      name: principal.name,
      client_id: "confab",
      iat: START / 1000,
      exp: START / 1000 + ACCESS_SECONDS,
    });
    assertEquals(await tokens.verifyAccess(token), {
      principal: { ...principal, expiresAt: START + ACCESS_SECONDS * 1000 },
      issuedAt: START,
    });
    assertNotEquals(await tokens.signAccess(principal), token);
  },
);

Deno.test(
  "verifyAccess() refuses a token after its end, also one it remembers",
  strict,
  async () => {
    const { time, tokens, principal } = await setUp();
    const token = await tokens.signAccess(principal);
    assertEquals(await tokens.verifyAccess(token), await tokens.verifyAccess(token));
    time.now += (ACCESS_SECONDS + 4) * 1000;
    await tokens.verifyAccess(token);
    time.now += 2000;
    assertEquals(await codeOf(tokens.verifyAccess(token)), "token_expired");
  },
);

Deno.test("verifyAccess() accepts tokens of a previous key", strict, async () => {
  const old = await generateKeys();
  const jwtPreviousJwks = JSON.stringify({ keys: [JSON.parse(old.jwtPrivateJwk)] });
  const before = createTokens({ keys: await loadKeys(old), issuer: "confab" });
  const { principal } = await setUp();
  const token = await before.signAccess(principal);
  const rotated = await loadKeys({ ...await generateKeys(), jwtPreviousJwks });
  const after = createTokens({ keys: rotated, issuer: "confab" });
  assertEquals((await after.verifyAccess(token)).principal.id, principal.id);
  const stranger = createTokens({ keys: await loadKeys(await generateKeys()), issuer: "confab" });
  assertEquals(await codeOf(stranger.verifyAccess(token)), "token_invalid");
});

Deno.test(
  "verifyAccess() refuses everything that is not exactly our access token",
  strict,
  async () => {
    const { keys, tokens, principal } = await setUp();
    const good = await tokens.signAccess(principal);
    const [header, body, signature] = good.split(".") as [string, string, string];
    const claims = decodeJwt(good);
    const resigned = (
      change: object,
      head: object = {},
      key: CryptoKey | Uint8Array = keys.signing.key,
    ) =>
      new SignJWT({ ...claims, ...change }).setProtectedHeader({
        alg: "EdDSA",
        typ: "at+jwt",
        kid: keys.signing.kid,
        ...head,
      }).sign(key);
    const json = (value: unknown) => base64url.encode(JSON.stringify(value));
    const bad: Record<string, string> = {
      empty: "",
      noise: "a.b.c",
      nul: "\0",
      "a cut signature": good.slice(0, -4),
      "another body": `${header}.${json({ ...claims, role: "user" })}.${signature}`,
      "no algorithm": `${json({ alg: "none", typ: "at+jwt" })}.${body}.`,
      "HMAC with the public key": await resigned(
        {},
        { alg: "HS256" },
        base64url.decode(keys.jwks().keys[0]!.x),
      ),
      "another audience": await resigned({ aud: "other" }),
      "another issuer": await resigned({ iss: "confab" }),
      "another type": await resigned({}, { typ: "JWT" }),
      "no type": await resigned({}, { typ: undefined }),
      "an unknown key": await resigned({}, { kid: "x" }),
      "no key id": await resigned({}, { kid: undefined }),
      "a critical header": `${
        json({ ...decodeProtectedHeader(good), crit: ["x"], x: 1 })
      }.${body}.${signature}`,
      "an unknown role": await resigned({ role: "god" }),
      "a ticket": await tokens.signTicket({ ...principal, expiresAt: START + 60_000 }),
      "a long token": `${good}${"A".repeat(5000)}`,
    };
    for (const claim of ["sub", "sid", "jti", "iat", "exp", "kind", "role", "name", "aud", "iss"]) {
      bad[`no ${claim}`] = await resigned({ [claim]: undefined });
    }
    for (const [name, token] of Object.entries(bad)) {
      assertEquals(await codeOf(tokens.verifyAccess(token)), "token_invalid", name);
    }
    await tokens.verifyAccess(good);
  },
);

Deno.test(
  "verifyTicket() tells the principal and the end of the access behind the ticket",
  strict,
  async () => {
    const { time, tokens, principal } = await setUp();
    const signedIn = { ...principal, expiresAt: START + 600_000 };
    const ticket = await tokens.signTicket(signedIn);
    const { id, ...read } = await tokens.verifyTicket(ticket);
    assertEquals(id, decodeJwt(ticket).jti!);
    assertEquals(read, {
      principal: signedIn,
      refusedAfter: START + (TICKET_SECONDS + 5) * 1000,
    });
    assertEquals(
      await codeOf(tokens.verifyTicket(await tokens.signAccess(principal))),
      "ticket_invalid",
    );
    assertEquals(await codeOf(tokens.verifyTicket(`${ticket}x`)), "ticket_invalid");
    time.now += (TICKET_SECONDS + 5) * 1000;
    assertEquals(await codeOf(tokens.verifyTicket(ticket)), "ticket_invalid");
  },
);
