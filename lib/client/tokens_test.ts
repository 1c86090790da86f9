import { assertEquals, assertRejects } from "@std/assert";
import { ConfabClientError } from "./errors.ts";
import { RestClient } from "./rest.ts";
import type { Session } from "./tokens.ts";
import { SessionTokens } from "./tokens.ts";
import { ManualClock } from "./testing/manual_clock.ts";
import { refusal } from "./testing/scripted_rest.ts";
import { ScriptedServer } from "./testing/scripted_server.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const url = "http://confab.test";

async function signedIn() {
  const clock = new ManualClock();
  const server = new ScriptedServer(() => clock.now());
  let stored: Session | undefined;
  const store = { load: () => stored, save: (session?: Session) => void (stored = session) };
  const make = () => new SessionTokens({ url, store, clock, fetch: server.fetch });
  const tokens = make();
  await tokens.login({ username: "someone", password: "correct horse" });
  clock.advance(60_000);
  return { clock, server, store, make, tokens };
}

Deno.test(
  "SessionTokens refreshes once for everybody who asks at the same time",
  strict,
  async () => {
    const { server, tokens } = await signedIn();
    const asked = Array.from({ length: 5 }, () => tokens.accessToken({ refresh: true }));
    assertEquals(await Promise.all(asked), Array(5).fill("token-1"));
    assertEquals(server.rest.refreshes, 1);
    assertEquals(await tokens.accessToken({ refresh: true }), "token-1");
    assertEquals(server.rest.refreshes, 1);
  },
);

Deno.test("SessionTokens renews a token shortly before it ends", strict, async () => {
  const { clock, server, tokens } = await signedIn();
  assertEquals(await tokens.accessToken({ refresh: false }), "token-0");
  clock.advance(811_000);
  assertEquals(await tokens.accessToken({ refresh: false }), "token-1");
  assertEquals(server.rest.refreshes, 1);
});

Deno.test("SessionTokens keeps the session through a reload", strict, async () => {
  const { make } = await signedIn();
  assertEquals(await make().accessToken({ refresh: false }), "token-0");
});

Deno.test("SessionTokens takes over what another tab has refreshed", strict, async () => {
  const { server, make, tokens } = await signedIn();
  const other = make();
  await other.accessToken({ refresh: true });
  assertEquals(await tokens.accessToken({ refresh: true }), "token-1");
  assertEquals(server.rest.refreshes, 1);
});

Deno.test(
  "SessionTokens forgets the session when the refresh is refused, not when it fails",
  strict,
  async () => {
    const { server, store, tokens } = await signedIn();
    server.rest.intercept = () => refusal(503, "unavailable");
    const failed = await assertRejects(
      () => tokens.accessToken({ refresh: true }),
      ConfabClientError,
    );
    assertEquals([failed.code, store.load()?.accessToken], ["unavailable", "token-0"]);
    server.rest.intercept = () => refusal(401, "refresh_reused");
    await assertRejects(() => tokens.accessToken({ refresh: true }), ConfabClientError);
    assertEquals([tokens.session, store.load()], [undefined, undefined]);
  },
);

Deno.test(
  "SessionTokens stays signed out when the answer comes after the logout",
  strict,
  async () => {
    const { server, store, tokens } = await signedIn();
    const gate = Promise.withResolvers<undefined>();
    server.rest.intercept = (path) => path.endsWith("refresh") ? gate.promise : undefined;
    const refreshed = tokens.accessToken({ refresh: true });
    await tokens.logout();
    gate.resolve(undefined);
    await assertRejects(() => refreshed, ConfabClientError);
    assertEquals([tokens.session, store.load()], [undefined, undefined]);
  },
);

Deno.test("RestClient repeats a request once with a fresh token", strict, async () => {
  const { clock, server, tokens } = await signedIn();
  const rest = new RestClient({ url, tokens, fetch: server.fetch });
  server.rest.valid.clear();
  assertEquals((await rest.ticket()).ticket, "t");
  assertEquals(server.rest.refreshes, 1);
  clock.advance(60_000);
  server.rest.intercept = (path) =>
    path === "/v1/auth/ticket" ? refusal(401, "session_revoked") : undefined;
  const error = await assertRejects(() => rest.ticket(), ConfabClientError);
  assertEquals([error.code, error.status, server.rest.refreshes], ["session_revoked", 401, 2]);
});

Deno.test("RestClient tells a proxy's page from an answer of Confab", strict, async () => {
  const { server, tokens } = await signedIn();
  const rest = new RestClient({ url, tokens, fetch: server.fetch });
  server.rest.intercept = () => new Response("<h1>Bad gateway</h1>", { status: 502 });
  const error = await assertRejects(() => rest.me(), ConfabClientError);
  assertEquals([error.code, error.status, error.transient], ["unexpected_response", 502, true]);
});
