import { assert, assertEquals } from "@std/assert";
import { startUpstashGateway } from "../../testing/gateways/upstash.ts";
import { startProxy } from "../../testing/proxy.ts";
import { findRedis, TEST_REDIS_URL, testWith } from "../../testing/services.ts";
import { until } from "../../testing/until.ts";
import { newId } from "../ids.ts";
import { createLog } from "../log.ts";
import type { Redis } from "../redis/mod.ts";
import { openRedis } from "../redis/tcp.ts";
import { openUpstash } from "../redis/upstash.ts";
import { isOnline, LONG, newSession, presenceContract, untilOffline } from "./contract.ts";
import type { Presence, PresenceTimes } from "./mod.ts";
import { createRedisPresence } from "./redis.ts";

const service = await findRedis();
const log = createLog("silent");

/** Presence that closes its driver, and what `end` closes, with itself. */
function owning(
  redis: Redis,
  times: PresenceTimes,
  end: () => Promise<void> = () => Promise.resolve(),
): Presence {
  const presence = createRedisPresence(redis, { prefix: `test:${newId()}:`, log, times });
  return {
    ...presence,
    async [Symbol.asyncDispose]() {
      await presence[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
      await end();
    },
  };
}

presenceContract(
  "Redis",
  async (times) => owning(await openRedis(TEST_REDIS_URL, { log }), times),
  (name, test) => testWith(service, name, test),
);

presenceContract("Upstash", async (times) => {
  const gateway = await startUpstashGateway(TEST_REDIS_URL);
  return owning(openUpstash(gateway.url, gateway.token, { log }), times, gateway.close);
}, (name, test) => testWith(service, name, test));

/** Two nodes on one Redis, and another connection to it. */
async function twoNodes(times: Partial<PresenceTimes> = {}) {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(await openRedis(TEST_REDIS_URL, { log }));
  const prefix = `test:${newId()}:`;
  const node = (own: Partial<PresenceTimes> = {}) =>
    createRedisPresence(redis, { prefix, log, times: { ...LONG, ...times, ...own } });
  const opened = stack.move();
  return {
    ...{ redis, prefix, node, a: node(), b: node() },
    key: (name: string) => `${prefix}presence:${name}`,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

testWith(service, "Redis presence: nodes see each other's sessions as one", async () => {
  await using s = await twoNodes({ graceMs: 1 });
  const here = newSession();
  const there = newSession(here.principal);
  assertEquals(await s.a.hold([here]), [here.principal]);
  assertEquals(await s.b.hold([there]), []);
  const other = newSession();
  await s.a.hold([other]);
  await s.a.release([here, other]);
  await untilOffline(s.a, other);
  assertEquals(await isOnline(s.a, there), true);
});

testWith(service, "Redis presence: the sessions of a dead node end (P9)", async () => {
  await using s = await twoNodes();
  const dead = s.node({ leaseMs: 100 });
  const [lost, kept] = [newSession(), newSession()];
  await s.a.hold([kept]);
  await dead.hold([lost]);
  await dead[Symbol.asyncDispose](); // without a release
  await untilOffline(s.a, lost);
  assertEquals(await isOnline(s.a, kept), true);
});

testWith(service, "Redis presence: nothing stays in Redis without an end", async () => {
  await using s = await twoNodes({ graceMs: 20_000 });
  const session = newSession();
  await s.a.hold([session]);
  const ttl = (name: string) => s.redis.command<number>(["PTTL", s.key(name)]);
  const leaseMs = await ttl(`of:${session.principal}`);
  assert(leaseMs > 50_000 && leaseMs <= 60_000, `${leaseMs} ms`);
  assert(await ttl("nodes") > 60_000);
  await s.a.release([session], true);
  assertEquals(await s.redis.command(["EXISTS", s.key("nodes")]), 0);
  for (let i = 0; i < 3; i++) {
    await s.a.hold(Array.from({ length: 50 }, () => newSession(session.principal)));
  }
  assertEquals(await s.redis.command(["ZCARD", s.key(`of:${session.principal}`)]), 100);
});

testWith(service, "Redis presence: lost data is unknown, never offline", async () => {
  await using s = await twoNodes();
  const session = newSession();
  await s.a.hold([session]);
  assertEquals(await isOnline(s.b, session), true);
  const settling = s.node({ settleMs: 60_000 });
  const settled = s.node({ settleMs: 50 });
  await s.redis.command(["DEL", s.key("nodes"), s.key("kept"), s.key(`of:${session.principal}`)]);
  assertEquals(await settling.online([session.principal]), undefined);
  assertEquals(await s.a.hold([session]), [session.principal]);
  assertEquals(await settling.online([session.principal]), undefined);
  await until("it is known again", async () => await settled.online([]) !== undefined);
  assertEquals(await isOnline(settled, session), true);
});

testWith(service, "Redis presence: a pause of all nodes is unknown, never offline", async () => {
  await using s = await twoNodes();
  const paused = s.node({ leaseMs: 50 });
  const session = newSession();
  await paused.hold([session]);
  await until("it is unknown", async () => await paused.online([session.principal]) === undefined);
  // Another node is the first to come back, and has nothing of the other's.
  const settling = s.node({ leaseMs: 50, settleMs: 60_000 });
  await s.redis.command(["HSET", s.key("kept"), "since", 1]); // long ago
  await settling.hold([newSession()]);
  assertEquals(await settling.online([session.principal]), undefined);
});

testWith(service, "Redis presence: after a pause shorter than a lease it is unknown", async () => {
  await using s = await twoNodes();
  const [gone, slow] = [newSession(), newSession()];
  await s.a.hold([slow]); // its lease outlives the pause
  const first = s.node({ leaseMs: 50 });
  const back = s.node({ leaseMs: 400, settleMs: 60_000 });
  await back.hold([newSession()]);
  await first.hold([gone]);
  const key = s.key(`of:${gone.principal}`);
  await until("a lease has run out", async () => await s.redis.command(["EXISTS", key]) === 0);
  await s.redis.command(["HSET", s.key("kept"), "since", 1]); // long ago
  // Nobody could renew for half a lease: those who come back first know nothing of the others.
  await until("it is unknown", async () => await back.online([gone.principal]) === undefined);
  await back.hold([newSession()]);
  assertEquals(await back.online([gone.principal]), undefined);
});

testWith(service, "Redis presence: data from before a restart is unknown", async () => {
  await using s = await twoNodes({ settleMs: 0 });
  const session = newSession();
  await s.a.hold([newSession()]);
  assertEquals(await isOnline(s.b, session), false);
  const settling = s.node({ settleMs: 60_000 });
  await s.redis.command(["HSET", s.key("kept"), "since", 1, "run", "of a server before"]);
  assertEquals(await settling.online([session.principal]), undefined);
  assertEquals(await settling.online([session.principal]), undefined);
});

testWith(service, "Redis presence: a quiet time is no pause", async () => {
  await using s = await twoNodes({ graceMs: 1, settleMs: 50 });
  const session = newSession();
  await s.a.hold([session]);
  await until("it has settled", async () => await s.b.online([]) !== undefined);
  await s.a.release([session], true);
  assertEquals(await s.redis.command(["EXISTS", s.key("nodes")]), 0, "it said goodbye");
  const { principal } = session;
  await until("it is offline", async () => (await s.b.online([principal]))?.size === 0);
  await s.b.hold([newSession()]);
  assertEquals(await isOnline(s.b, session), false, "known at once");
});

testWith(service, "Redis presence: without Redis it is unknown, and no call fails", async () => {
  const target = new URL(TEST_REDIS_URL);
  const proxy = startProxy(Number(target.port || 6379));
  target.host = `127.0.0.1:${proxy.port}`;
  try {
    await using redis = await openRedis(target.href, { log, deadlineMs: 300 });
    const prefix = `test:${newId()}:`;
    await using presence = createRedisPresence(redis, { prefix, log, times: LONG });
    const session = newSession();
    await presence.hold([session]);
    for (const fail of [() => proxy.cut(), () => proxy.blackhole()]) {
      fail();
      assertEquals(await presence.online([session.principal]), undefined);
      assertEquals(await presence.hold([session]), undefined);
      assertEquals(await presence.release([session]), false);
    }
    proxy.heal();
    await until("it is held again", async () => await presence.hold([session]) !== undefined);
    assertEquals(await isOnline(presence, session), true);
  } finally {
    await proxy.close();
  }
});

testWith(service, "Redis presence: who cannot write does not trust what it reads", async () => {
  await using s = await twoNodes();
  const session = newSession();
  await s.a.hold([session]);
  const refusing: Redis = {
    ...s.redis,
    command: (args) =>
      String(args[1]).includes("'ZREMRANGEBYRANK'")
        ? Promise.reject(new Error("OOM command not allowed"))
        : s.redis.command(args),
  };
  await using node = createRedisPresence(refusing, { prefix: s.prefix, log, times: LONG });
  assertEquals(await isOnline(node, session), true);
  assertEquals(await node.hold([newSession()]), undefined);
  assertEquals(await node.online([session.principal]), undefined);
});

testWith(service, "Upstash presence: every call is one command", async () => {
  const gateway = await startUpstashGateway(TEST_REDIS_URL);
  try {
    await using redis = openUpstash(gateway.url, gateway.token, { log });
    const prefix = `test:${newId()}:`;
    await using presence = createRedisPresence(redis, { prefix, log, times: LONG });
    const sessions = Array.from({ length: 300 }, () => newSession());
    await presence.hold(sessions);
    await presence.online(sessions.map(({ principal }) => principal));
    await presence.release(sessions);
    assertEquals(gateway.commands.map(([name]) => name), ["EVAL", "EVAL", "EVAL"]);
  } finally {
    await gateway.close();
  }
});

testWith(service, "Redis presence: two roles of a process are two who hold sessions", async () => {
  await using s = await twoNodes();
  const [web, bridge] = [s.a, s.a.another()];
  const [person, device] = [newSession(), newSession()];
  const holders = () => s.redis.command(["ZCARD", s.key("nodes")]);
  await web.hold([person]);
  await bridge.hold([device]);
  assertEquals(await holders(), 2);
  await web.release([person], true);
  assertEquals(await holders(), 1, "the devices are held as before");
  await bridge.release([device], true);
  assertEquals(await holders(), 0);
});
