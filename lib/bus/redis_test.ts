import { startUpstashGateway } from "../../testing/gateways/upstash.ts";
import { startProxy } from "../../testing/proxy.ts";
import { findRedis, TEST_REDIS_URL, testWith } from "../../testing/services.ts";
import { newId } from "../ids.ts";
import { createLog } from "../log.ts";
import type { Redis } from "../redis/mod.ts";
import { openRedis } from "../redis/tcp.ts";
import { openUpstash } from "../redis/upstash.ts";
import { busContract } from "./contract.ts";
import { type Nodes, nodesContract } from "./nodes_contract.ts";
import { createRedisBus } from "./redis.ts";

const service = await findRedis();
const log = createLog("silent");
const times = { log, deadlineMs: 300, quietMs: 200 };

/** Two buses over drivers that `open` makes for a port. */
async function makeNodes(
  targetPort: number,
  open: (port: number) => Promise<Redis>,
  end: () => Promise<void>,
): Promise<Nodes> {
  const prefix = `test:${newId()}:`;
  const [proxyA, proxyB] = [startProxy(targetPort), startProxy(targetPort)];
  const [driverA, driverB] = [await open(proxyA.port), await open(proxyB.port)];
  const redis = await openRedis(TEST_REDIS_URL, { log });
  const options = { prefix, log, settleMs: 500, lingerMs: 50 };
  return {
    a: createRedisBus(driverA, options),
    b: createRedisBus(driverB, options),
    proxyA,
    proxyB,
    redis,
    prefix,
    async close() {
      for (const driver of [driverA, driverB, redis]) await driver[Symbol.asyncDispose]();
      await end();
      await Promise.all([proxyA.close(), proxyB.close()]);
    },
  };
}

function overTcp(): Promise<Nodes> {
  const target = new URL(TEST_REDIS_URL);
  const open = (port: number) => {
    target.host = `127.0.0.1:${port}`;
    return openRedis(target.href, times);
  };
  return makeNodes(Number(target.port || 6379), open, () => Promise.resolve());
}

async function overUpstash(): Promise<Nodes> {
  const gateway = await startUpstashGateway(TEST_REDIS_URL);
  const open = (port: number) =>
    Promise.resolve(openUpstash(`http://127.0.0.1:${port}`, gateway.token, times));
  return makeNodes(gateway.port, open, gateway.close);
}

for (const [name, create] of [["TCP", overTcp], ["Upstash", overUpstash]] as const) {
  busContract(`Redis bus over ${name}`, async () => {
    const nodes = await create();
    await nodes.b[Symbol.asyncDispose]();
    return { bus: nodes.a, close: nodes.close };
  }, (name, test) => testWith(service, name, test));
  nodesContract(
    `two nodes over ${name}`,
    create,
    (name, test) => testWith(service, name, test),
  );
}
