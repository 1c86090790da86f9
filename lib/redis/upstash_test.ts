import { startUpstashGateway } from "../../testing/gateways/upstash.ts";
import { startProxy } from "../../testing/proxy.ts";
import { findRedis, TEST_REDIS_URL, testWith } from "../../testing/services.ts";
import { createLog } from "../log.ts";
import { redisContract } from "./contract.ts";
import { openUpstash } from "./upstash.ts";

const service = await findRedis();

redisContract("Upstash over REST", async () => {
  const gateway = await startUpstashGateway(TEST_REDIS_URL);
  const proxy = startProxy(gateway.port);
  const options = { log: createLog("silent"), deadlineMs: 300, quietMs: 200 };
  return {
    proxy,
    open: () =>
      Promise.resolve(openUpstash(`http://127.0.0.1:${proxy.port}`, gateway.token, options)),
    async close() {
      await gateway.close();
      await proxy.close();
    },
  };
}, (name, test) => testWith(service, name, test));
