import { assertEquals, assertRejects } from "@std/assert";
import { Redis } from "@upstash/redis";
import { newId } from "../../lib/ids.ts";
import { findRedis, TEST_REDIS_URL, testWith } from "../services.ts";
import { startUpstashGateway } from "./upstash.ts";

const service = await findRedis();

testWith(service, "the gateway serves Upstash's client with its default options", async () => {
  const gateway = await startUpstashGateway(TEST_REDIS_URL);
  try {
    const redis = new Redis({ url: gateway.url, token: gateway.token });
    const key = `test:${newId()}`;
    assertEquals(await redis.set(key, { text: "naïve 🦕" }, { ex: 60 }), "OK");
    assertEquals(await redis.get(key), { text: "naïve 🦕" });
    const many = await redis.pipeline().incr(`${key}:n`).expire(`${key}:n`, 60).get(key).exec();
    assertEquals(many, [1, 1, { text: "naïve 🦕" }]);
    assertEquals(await redis.multi().incr(`${key}:n`).del(key, `${key}:n`).exec(), [2, 2]);
    await assertRejects(() => redis.exec(["NONSENSE"]), Error, "ERR unknown command");
  } finally {
    await gateway.close();
  }
});

testWith(service, "the gateway refuses a wrong token", async () => {
  const gateway = await startUpstashGateway(TEST_REDIS_URL);
  try {
    const redis = new Redis({ url: gateway.url, token: "wrong" });
    await assertRejects(() => redis.get("key"), Error, "WRONGPASS");
  } finally {
    await gateway.close();
  }
});
