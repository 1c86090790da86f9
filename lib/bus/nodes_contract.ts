import { assert, assertEquals } from "@std/assert";
import type { Proxy } from "../../testing/proxy.ts";
import { until } from "../../testing/until.ts";
import { newId } from "../ids.ts";
import type { RoomId } from "../protocol.ts";
import type { Redis } from "../redis/mod.ts";
import { entry, listener, recorder, type RegisterTest, typing } from "./contract.ts";
import type { RedisBus } from "./redis.ts";

/** Two nodes, each with its own driver behind its own proxy, and a third way to Redis. */
export interface Nodes {
  a: RedisBus;
  b: RedisBus;
  proxyA: Proxy;
  proxyB: Proxy;
  /** Not proxied. */
  redis: Redis;
  prefix: string;
  close(): Promise<void>;
}

type Check = (sentence: string, run: (nodes: Nodes, room: RoomId) => Promise<void>) => void;

/** What buses that share a Redis must do for each other. */
export function nodesContract(
  name: string,
  create: () => Promise<Nodes>,
  register: RegisterTest,
): void {
  const check: Check = (sentence, run) =>
    register(`${name}: ${sentence}`, async () => {
      const nodes = await create();
      try {
        await run(nodes, newId());
      } finally {
        await nodes.a[Symbol.asyncDispose]();
        await nodes.b[Symbol.asyncDispose]();
        await nodes.close();
      }
    });
  deliveryContract(check);
  boundsContract(check);
  downContract(check);
}

function deliveryContract(check: Check): void {
  check("each node gets what the other publishes, in order and once", async ({ a, b }, room) => {
    const [onA, onB] = [recorder(), recorder()];
    await Promise.all([a.serve(room, onA), b.serve(room, onB)]);
    const seqs = Array.from({ length: 200 }, (_, i) => i + 1);
    for (const seq of seqs) {
      a.publish([entry(room, seq)]);
      if (seq % 50 === 0) await Promise.resolve();
    }
    await until("all arrive", () => onB.seqs.length >= seqs.length);
    assertEquals([onA.seqs, onB.seqs], [seqs, seqs]);
    assert(a.stats.published < seqs.length, "entries of one turn share a payload");
    b.publish([entry(room, 201)]);
    await until("the way back works", () => onA.seqs.includes(201));
    assertEquals([onA.seqs.length, onB.seqs.length], [201, 201]);
  });

  check("heads, signals and revocations cross", async ({ a, b }, room) => {
    const [sink, heard] = [recorder(), listener()];
    await b.serve(room, sink);
    b.listen(heard);
    await until("b is up", () => heard.up.at(-1) === true);
    a.announce(room, 5);
    a.signal(room, typing());
    await until("both arrive", () => sink.heads.length === 1 && sink.signals.length === 1);
    assertEquals([sink.heads, sink.signals], [[5], [typing()]]);
    await until("the revocation arrives", () => {
      a.revoke({ session: "s" }); // the control subscription may stand after the shard's
      return heard.revocations.length > 0;
    });
    assertEquals(heard.revocations[0], { session: "s" });
  });

  check("a stopped room gets nothing more from the other node", async ({ a, b }, room) => {
    const [stopped, kept] = [recorder(), recorder()];
    const stop = await b.serve(room, stopped);
    await b.serve(room, kept);
    stop();
    a.publish([entry(room, 1)]);
    await until("the other sink gets it", () => kept.seqs.length === 1);
    assertEquals(stopped.seqs, []);
  });

  check("a channel is left when its last room is, and taken again", async (nodes, room) => {
    const { a, b, redis, prefix } = nodes;
    const stop = await b.serve(room, recorder());
    assertEquals(await channelsOf(redis, prefix), 1);
    stop();
    await until("it is left", async () => await channelsOf(redis, prefix) === 0);
    const again = recorder();
    await b.serve(room, again);
    a.publish([entry(room, 1)]);
    await until("it works again", () => again.seqs.length === 1);
  });

  check("garbage on a channel is counted and disturbs nobody", async (nodes, room) => {
    const { a, b, redis, prefix } = nodes;
    const sink = recorder();
    await b.serve(room, sink);
    const [channel] = await redis.command<string[]>(["PUBSUB", "CHANNELS", `${prefix}bus:*`]);
    const bad = ["", "{", "null", "[]", '{"n":1}', '{"n":"x","e":[7,{"room":1}],"h":"no"}'];
    for (const text of bad) await redis.publish(channel!, text);
    a.publish([entry(room, 1)]);
    await until("the entry arrives", () => sink.seqs.length === 1);
    assertEquals([sink.seqs, b.stats.garbage], [[1], 8]);
  });
}

function boundsContract(check: Check): void {
  check("an entry too large for a payload becomes a head", async ({ a, b }, room) => {
    const [onA, onB] = [recorder(), recorder()];
    await Promise.all([a.serve(room, onA), b.serve(room, onB)]);
    a.publish([entry(room, 1), entry(room, 2, "x".repeat(300_000)), entry(room, 3)]);
    await until("the head arrives", () => onB.heads.length > 0 && onB.seqs.length === 2);
    assertEquals([onA.seqs, onB.seqs, onB.heads, a.stats.announced], [[1, 2, 3], [1, 3], [2], 1]);
  });

  check("a backlog beyond its bound shrinks to heads", async ({ a, b }, room) => {
    const sink = recorder();
    await b.serve(room, sink);
    // 60 entries of 60 kB in one turn are more than the 2 MiB that may wait.
    for (let seq = 1; seq <= 60; seq++) a.publish([entry(room, seq, "x".repeat(60_000))]);
    await until("b knows of the last", () => Math.max(0, ...sink.seqs, ...sink.heads) === 60);
    assert(a.stats.announced > 0 && sink.heads.length > 0);
  });
}

function downContract(check: Check): void {
  check("after a cut both sides go on, and the listener hears of it", async (nodes, room) => {
    const { a, b, proxyB } = nodes;
    const [sink, heard] = [recorder(), listener()];
    b.listen(heard);
    await b.serve(room, sink);
    await until("b is up", () => heard.up.at(-1) === true);
    proxyB.cut();
    await until("b is down", () => heard.up.at(-1) === false);
    a.publish([entry(room, 1)]); // lost for b, which is what resumed() is about
    proxyB.heal();
    await until("b is up again", () => heard.resumptions > 0 && heard.up.at(-1) === true);
    a.publish([entry(room, 2)]);
    await until("entries arrive again", () => sink.seqs.includes(2));
  });

  check("publishing while Redis is away fails nobody and ends as a head", async (nodes, room) => {
    const { a, b, proxyA } = nodes;
    const [onA, onB, heard] = [recorder(), recorder(), listener()];
    a.listen(heard);
    await Promise.all([a.serve(room, onA), b.serve(room, onB)]);
    await until("a is up", () => heard.up.at(-1) === true);
    proxyA.cut();
    for (let seq = 1; seq <= 20; seq++) a.publish([entry(room, seq)]);
    a.signal(room, typing());
    a.revoke({ session: "s" });
    assertEquals([onA.seqs.length, onA.signals.length, heard.revocations.length], [20, 1, 1]);
    await until("a is down", () => heard.up.at(-1) === false);
    a.publish([entry(room, 21)]);
    proxyA.heal();
    await until("b learns of the last", () => Math.max(0, ...onB.heads) === 21);
    await until("a is up again", () => heard.up.at(-1) === true);
    assertEquals([onB.seqs, a.stats.failed > 0], [[], true]);
  });

  check("a node is up again when all that Redis did not take were signals", async (nodes, room) => {
    const { a, b, proxyA } = nodes;
    const [onB, heard] = [recorder(), listener()];
    a.listen(heard);
    await Promise.all([a.serve(room, recorder()), b.serve(room, onB)]);
    await until("a is up", () => heard.up.at(-1) === true);
    proxyA.cut();
    a.signal(room, typing());
    await until("the signal is lost", () => a.stats.failed > 0 && heard.up.at(-1) === false);
    proxyA.heal();
    await until("a is up again", () => heard.up.at(-1) === true);
    await until("signals arrive again", () => {
      a.signal(room, typing()); // any one may be lost
      return onB.signals.length > 0;
    });
  });

  check("a revocation told while Redis is away arrives later", async ({ a, b, proxyA }) => {
    const [onA, onB] = [listener(), listener()];
    a.listen(onA);
    b.listen(onB);
    await until("both are up", () => onA.up.at(-1) === true && onB.up.at(-1) === true);
    proxyA.cut();
    a.revoke({ principal: "p" });
    await until("a is down", () => onA.up.at(-1) === false);
    proxyA.heal();
    await until("b hears it", () => onB.revocations.length > 0);
    assertEquals(onB.revocations, [{ principal: "p" }]);
  });

  check("serve() resolves while Redis is away, and resumed() follows", async (nodes, room) => {
    const { a, b, proxyB } = nodes;
    const [sink, heard] = [recorder(), listener()];
    b.listen(heard);
    await until("b is up", () => heard.up.at(-1) === true);
    proxyB.blackhole();
    await b.serve(room, sink);
    assertEquals(heard.resumptions, 0);
    b.publish([entry(room, 1)]);
    assertEquals(sink.seqs, [1]);
    proxyB.heal();
    await until("it is resumed and up", () => heard.resumptions > 0 && heard.up.at(-1) === true);
    a.publish([entry(room, 2)]);
    await until("entries arrive", () => sink.seqs.includes(2));
  });
}

async function channelsOf(redis: Redis, prefix: string): Promise<number> {
  return (await redis.command<string[]>(["PUBSUB", "CHANNELS", `${prefix}bus:*`])).length;
}
