import { startProxy } from "../../testing/proxy.ts";
import { findRedis, TEST_REDIS_URL, testWith } from "../../testing/services.ts";
import { createLog } from "../log.ts";
import { redisContract } from "./contract.ts";
import { openRedis } from "./tcp.ts";

const service = await findRedis();

redisContract("Redis over TCP", () => {
  const target = new URL(TEST_REDIS_URL);
  const proxy = startProxy(Number(target.port || 6379));
  target.host = `127.0.0.1:${proxy.port}`;
  return Promise.resolve({
    proxy,
    open: () => openRedis(target.href, { log: createLog("silent"), deadlineMs: 300, quietMs: 200 }),
    close: () => proxy.close(),
  });
}, (name, test) => testWith(service, name, test));
