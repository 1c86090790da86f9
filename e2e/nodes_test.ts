import { assert, assertEquals } from "@std/assert";
import { type Account, ApiClient } from "../testing/api_client.ts";
import { type BackendKind, edge, selfHosted } from "../testing/backend.ts";
import { startNodeProcess } from "../testing/node_process.ts";
import { startProxy } from "../testing/proxy.ts";
import { findRedis, TEST_REDIS_URL, testWith } from "../testing/services.ts";
import { range } from "../testing/subscriber.ts";
import { TestSocket } from "../testing/test_socket.ts";
import { until } from "../testing/until.ts";

const BEACON_SECONDS = 1;
/** A beacon comes 20 % late at most; the rest is for a slow machine. */
const BEACON_MS = BEACON_SECONDS * 1200 + 4000;

/** Two processes on one backend, a room, and a socket to each of them that has joined it. */
async function twoNodes(
  kind: BackendKind,
  { first = {}, second = {} }: { first?: Record<string, string>; second?: Record<string, string> } =
    {},
) {
  await using stack = new AsyncDisposableStack();
  const backend = stack.use(await kind.start());
  const env = { ...backend.env, BEACON_SECONDS: `${BEACON_SECONDS}`, LOG_LEVEL: "info" };
  const nodes = await Promise.all([
    startNodeProcess({ ...env, ...first }).then((node) => stack.use(node)),
    startNodeProcess({ ...env, ...second }).then((node) => stack.use(node)),
  ]);
  const [one, two] = nodes as [typeof nodes[0], typeof nodes[0]];
  const api = new ApiClient(one.url);
  const [ada, bob] = await Promise.all([api.register("ada"), api.register("bob")]);
  const room = await api.room(ada, bob); // entries 1 and 2
  const connect = async ({ url }: { url: string }, { token }: Account) => {
    const socket = stack.use(await TestSocket.connect(url, { token }));
    await socket.ok({ type: "join", room });
    return socket;
  };
  const a = await connect(one, ada);
  const b = await connect(two, bob);
  const opened = stack.move();
  return {
    ...{ one, two, api, ada, bob, room, a, b },
    there: new ApiClient(two.url),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function send(socket: TestSocket, room: string, text: string): ReturnType<TestSocket["ok"]> {
  return socket.ok({ type: "send", room, clientId: crypto.randomUUID(), text });
}

for (const kind of [await selfHosted(), await edge()]) {
  testWith(kind.service, `two nodes are one, with ${kind.name}`, async () => {
    await using s = await twoNodes(kind);
    const texts = range(1, 30).map((i) => `message ${i}`);
    await Promise.all(texts.map((text, i) => send(i % 2 === 0 ? s.a : s.b, s.room, text)));
    for (const socket of [s.a, s.b]) {
      await socket.reach(s.room, 32);
      assertEquals(socket.seqs(s.room), range(3, 32), "everything once, in order");
    }
    s.a.send({ type: "typing", room: s.room });
    const typing = await s.b.wait("typing", ({ signal }) => signal?.type === "typing");
    assertEquals(typing.signal.principal.id, s.ada.id);
    await s.b.ok({ type: "read", room: s.room, seq: 32 });
    const receipt = await s.a.wait("a receipt", ({ signal }) => signal?.type === "receipt");
    assertEquals([receipt.signal.principal.id, receipt.signal.read], [s.bob.id, 32]);
    // A cursor of one node is good on the other.
    const epoch = s.a.ready.epoch;
    assertEquals(s.b.ready.epoch, epoch);
    await using moved = await TestSocket.connect(s.two.url, { token: s.ada.token });
    const join = await moved.ok({ type: "join", room: s.room, after: 30, epoch });
    assertEquals([join.recovered, join.head], [true, 32]);
    await moved.reach(s.room, 32);
    assertEquals(moved.seqs(s.room), [31, 32]);
  });

  testWith(
    kind.service,
    `logout on one node ends all of it within 2 s, with ${kind.name}`,
    async () => {
      await using s = await twoNodes(kind);
      const again = await s.there.login(s.ada);
      await using here = await TestSocket.connect(s.two.url, { token: s.ada.token });
      await using other = await TestSocket.connect(s.two.url, { token: again.token });
      const ticket = await s.there.ticket(s.ada);
      const { status } = await s.api.request("POST", "/v1/auth/logout", { token: s.ada.token });
      assertEquals(status, 204);
      assertEquals((await here.closed(2000)).code, 4501);
      assertEquals((await s.a.closed(2000)).code, 4501);
      const late = await s.there.request("GET", "/v1/me", { token: s.ada.token });
      assertEquals([late.status, late.body.code], [401, "session_revoked"]);
      await other.settle(); // another session of the same account
      const connected = TestSocket.connect(s.two.url, { query: { ticket } });
      const refused = await connected.then(() => false, () => true);
      assert(refused, "a ticket of the ended session");
    },
  );

  testWith(
    kind.service,
    `a removal on one node holds on the other, with ${kind.name}`,
    async () => {
      await using s = await twoNodes(kind);
      await Promise.all([
        ...range(1, 10).map((i) => send(s.a, s.room, `before or after ${i}`)),
        s.api.remove(s.ada, s.room, s.bob),
      ]);
      const { seq } = await send(s.a, s.room, "secret");
      await s.a.reach(s.room, seq);
      await s.b.wait("the eviction", (frame) => frame.type === "evicted");
      await s.b.settle();
      const removal = s.a.entries(s.room).find(({ event }) => event.type === "member.removed")!;
      assertEquals(s.b.seqs(s.room), range(3, removal.seq));
    },
  );
}

const redis = await findRedis();

testWith(
  redis,
  "a node without Redis serves what others commit, and says that it is not ready",
  async () => {
    const proxy = startProxy(Number(new URL(TEST_REDIS_URL).port || 6379));
    try {
      const through = { REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
      await using s = await twoNodes(await selfHosted(), { second: through });
      proxy.cut();
      for (let i = 3; i <= 5; i++) {
        await send(s.a, s.room, "hello");
        await s.b.reach(s.room, i, BEACON_MS);
      }
      // What is sent there reaches us, too: also the last message before silence.
      await send(s.b, s.room, "from the cut off node");
      await s.a.reach(s.room, 6, BEACON_MS);
      const ready = await s.there.request("GET", "/readyz");
      assertEquals([ready.status, ready.body.checks.redis.ok], [503, false]);
      assertEquals(ready.body.checks.database.ok, true);
      // Revocations come with the beacon.
      await using session = await TestSocket.connect(s.two.url, { token: s.ada.token });
      await s.api.request("POST", "/v1/auth/logout", { token: s.ada.token });
      assertEquals((await session.closed(BEACON_MS)).code, 4501);
      proxy.heal();
      await until(
        "it is ready again",
        async () => (await s.there.request("GET", "/readyz")).status === 200,
        20_000,
      );
      assertEquals(s.b.seqs(s.room), range(3, 6));
    } finally {
      await proxy.close();
    }
  },
);

testWith(
  redis,
  "the last message before silence arrives although its publish is stuck",
  async () => {
    const proxy = startProxy(Number(new URL(TEST_REDIS_URL).port || 6379));
    try {
      const through = { REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
      await using s = await twoNodes(await selfHosted(), { first: through });
      await send(s.a, s.room, "while all is well");
      await s.b.reach(s.room, 3);
      // Links stay open and carry nothing: the node that reads sees no failure at all.
      proxy.blackhole();
      const before = performance.now();
      await send(s.a, s.room, "the last one");
      const ms = performance.now() - before;
      assert(ms < 2000, `acknowledged after ${ms} ms: the bus is no part of that`);
      await s.b.reach(s.room, 4, BEACON_MS);
      assertEquals(s.b.seqs(s.room), [3, 4]);
      proxy.heal();
      await send(s.b, s.room, "well again");
      await s.a.reach(s.room, 5, 10_000);
      assertEquals(s.a.seqs(s.room), [3, 4, 5]);
    } finally {
      await proxy.close();
    }
  },
);

testWith(redis, "a killed node takes nothing with it that it has acknowledged", async () => {
  await using s = await twoNodes(await selfHosted());
  const acked: number[] = [];
  const sending = Promise.allSettled(
    range(1, 200).map(async (i) => {
      acked.push((await send(s.b, s.room, `message ${i}`)).seq);
    }),
  );
  await until("some are acknowledged", () => acked.length >= 20);
  await s.two.main.kill("SIGKILL");
  await sending;
  const log = await s.api.log(s.ada, s.room);
  assertEquals(log.map(({ seq }) => seq), range(1, log.length));
  assert(acked.every((seq) => seq <= log.length));
  await s.a.reach(s.room, log.length, BEACON_MS);
  assertEquals(s.a.seqs(s.room), range(3, log.length));
});
