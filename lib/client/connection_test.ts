import { assert, assertEquals } from "@std/assert";
import { settle, until } from "./testing/manual_clock.ts";
import { refusal } from "./testing/scripted_rest.ts";
import { scene } from "./testing/scene.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("Connection asks for a ticket and puts no token into the URL", strict, async () => {
  const { client, server } = await scene();
  const url = new URL(server.socket.url);
  assertEquals(url.protocol + url.pathname + url.search, "ws:/v1/socket?ticket=t");
  assertEquals(client.principal?.id, "me");
  client.close();
});

Deno.test("Connection comes back after a wait when the link breaks", strict, async () => {
  const { clock, client, server, states } = await scene();
  server.socket.close();
  await until(() => client.state.name === "waiting");
  const { state } = client;
  assert(state.name === "waiting");
  assertEquals(state.retryAt - clock.now(), 125);
  clock.advance(124);
  await settle();
  assertEquals(server.sockets.length, 1);
  clock.advance(1);
  await until(() => client.state.name === "connected");
  assertEquals(states, ["connecting", "connected", "waiting", "connecting", "connected"]);
  client.close();
});

Deno.test(
  "Connection waits longer after each failure and as long as the server asks",
  strict,
  async () => {
    const { clock, client, server } = await scene();
    server.rest.intercept = () => refusal(503, "overloaded", 7);
    server.socket.close(4012, '{"retryAfter":2}');
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      await until(() => client.state.name === "waiting");
      const { state } = client;
      assert(state.name === "waiting");
      waits.push(state.retryAt - clock.now());
      clock.advance(waits.at(-1)!);
      await settle();
    }
    assertEquals(waits, [2125, 7250, 7500, 8000]);
    client.close();
  },
);

Deno.test("Connection ends a wait at once when it is told to", strict, async () => {
  const { client, server } = await scene();
  server.socket.close(4008, "Slow consumer");
  await until(() => client.state.name === "waiting");
  client.retryNow();
  await until(() => client.state.name === "connected");
  client.close();
});

for (const code of [4503, 4504, 4999]) {
  Deno.test(`Connection stays away after close code ${code}`, strict, async () => {
    const { clock, client, server } = await scene();
    server.socket.close(code, "Not like this");
    await until(() => client.state.name === "closed");
    assertEquals(client.state, { name: "closed", reason: "Not like this", code });
    clock.advance(3_600_000);
    await settle();
    assertEquals(server.sockets.length, 1);
  });
}

Deno.test(
  "Connection refreshes its token once after close code 4501, then stays away",
  strict,
  async () => {
    const { clock, client, server } = await scene();
    clock.advance(6000);
    server.socket.close(4501, "Unauthenticated");
    await until(() => client.state.name === "connected" && server.sockets.length === 2);
    assertEquals(server.rest.refreshes, 1);
    server.socket.close(4501, "Unauthenticated");
    await until(() => client.state.name === "closed");
    assertEquals([server.sockets.length, server.rest.refreshes], [2, 1]);
  },
);

Deno.test("Connection stays away when the session has ended", strict, async () => {
  const { clock, client, server } = await scene();
  clock.advance(6000);
  server.rest.intercept = () => refusal(401, "session_revoked");
  server.socket.close(4501, "Unauthenticated");
  await until(() => client.state.name === "closed");
});

Deno.test("Connection notices a half-open link and replaces it", strict, async () => {
  const { clock, client, server } = await scene();
  clock.advance(20_000);
  await settle();
  assertEquals(server.socket.got("ping").length, 1);
  server.socket.dead = true;
  clock.advance(28_000);
  await until(() => client.state.name === "waiting");
  clock.advance(20_000);
  await until(() => client.state.name === "connected" && server.sockets.length === 2);
  client.close();
});

Deno.test("Connection gives up a link on which no ready frame comes", strict, async () => {
  const { clock, client, server } = await scene();
  const { accept } = server;
  server.accept = (socket) => void server.sockets.push(socket);
  server.socket.close();
  await until(() => client.state.name === "waiting");
  clock.advance(125);
  await until(() => server.sockets.length === 2);
  clock.advance(10_000);
  await until(() => client.state.name === "waiting");
  server.accept = accept;
  client.close();
});

Deno.test(
  "Connection renews its identity before it expires, and when it is told to",
  strict,
  async () => {
    const { clock, client, server } = await scene();
    for (let i = 0; i < 42; i++) {
      clock.advance(20_000);
      await settle();
    }
    await until(() => server.socket.got("auth").length === 1);
    assertEquals(server.socket.got("auth")[0]?.token, "token-1");
    clock.advance(6000);
    server.socket.send({ type: "expiring", at: new Date(clock.now() + 30_000).toISOString() });
    await until(() => server.socket.got("auth").length === 2);
    assertEquals([server.sockets.length, client.state.name], [1, "connected"]);
    client.close();
  },
);

Deno.test("Connection that was closed while it connected stays closed", strict, async () => {
  const { clock, client, server } = await scene();
  server.socket.close();
  await until(() => client.state.name === "waiting");
  client.retryNow();
  client.close();
  await settle();
  clock.advance(60_000);
  await settle();
  assertEquals([client.state.name, server.sockets.length], ["closed", 1]);
});
