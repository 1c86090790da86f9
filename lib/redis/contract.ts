import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Proxy } from "../../testing/proxy.ts";
import { until } from "../../testing/until.ts";
import { newId } from "../ids.ts";
import { type Redis, RedisError, type Subscription } from "./mod.ts";
import {
  answers,
  recorder,
  resumeContract,
  subscriptionContract,
} from "./subscription_contract.ts";

/** Registers one test of the suite. */
export type RegisterTest = (name: string, test: () => Promise<void>) => void;

/** A driver behind a proxy, and what else must be closed. `open` makes one more driver. */
export interface RedisFixture {
  proxy: Proxy;
  /** A driver with short deadlines, connected through the proxy. */
  open(): Promise<Redis>;
  close(): Promise<void>;
}

/** What one test gets. */
export interface Scene {
  redis: Redis;
  proxy: Proxy;
  open(): Promise<Redis>;
  /** A name that no other test uses. */
  name: string;
}

/** What every driver of Redis must do. */
export function redisContract(
  driver: string,
  create: () => Promise<RedisFixture>,
  register: RegisterTest,
): void {
  const check = (sentence: string, run: (scene: Scene) => Promise<void>) =>
    register(`${driver}: ${sentence}`, async () => {
      const fixture = await create();
      try {
        await using redis = await fixture.open();
        await run({ redis, proxy: fixture.proxy, open: fixture.open, name: `test:${newId()}` });
      } finally {
        await fixture.close();
      }
    });
  commandContract(check);
  faultContract(check);
  subscriptionContract(check);
  resumeContract(check);
}

/** Registers one test with a fresh scene. */
export type Check = (sentence: string, run: (scene: Scene) => Promise<void>) => void;

function commandContract(check: Check): void {
  check("values come back as they were stored", async ({ redis, name }) => {
    for (const value of ["", "123", "1e3", '{"a":1}', "null", "OK", "T0s=", "naïve 🦕\r\n,\0"]) {
      await redis.command(["SET", name, value, "PX", 60_000]);
      assertEquals(await redis.command(["GET", name]), value);
    }
    assertEquals(await redis.command(["GET", `${name}:none`]), null);
    assertEquals(await redis.command(["DEL", name]), 1);
  });

  check("arrays hold strings, integers, null and arrays", async ({ redis }) => {
    const script = "return {1, 'two', false, {'3', 4}}";
    assertEquals(await redis.command(["EVAL", script, 0]), [1, "two", null, ["3", 4]]);
  });

  check("a refused command is a RedisError without its values", async ({ redis, name }) => {
    await redis.command(["SET", name, "hidden-value", "PX", 60_000]);
    const error = await assertRejects(
      () => redis.command(["LPUSH", name, "hidden-argument"]),
      RedisError,
      "WRONGTYPE",
    );
    assert(!`${error.message}${String(error.cause)}`.includes("hidden"), error.message);
    await redis.command(["DEL", name]);
  });

  check("what SSE cannot carry is refused", async ({ redis, name }) => {
    const nothing = { message() {}, resumed() {} };
    await assertRejects(() => redis.publish(name, "two\nlines"), RedisError);
    await assertRejects(() => redis.publish("a,b", "text"), RedisError);
    await assertRejects(() => redis.subscribe("a/b", nothing), RedisError);
  });
}

function faultContract(check: Check): void {
  check("a hanging server ends in a RedisError within the deadline", async (scene) => {
    const { redis, proxy, name } = scene;
    await redis.command(["PING"]);
    proxy.blackhole();
    const start = performance.now();
    await assertRejects(() => redis.command(["GET", name]), RedisError);
    await assertRejects(() => redis.publish(name, "text"), RedisError);
    await assertRejects(() => redis.subscribe(name, recorder()), RedisError);
    assert(performance.now() - start < 5_000, "three deadlines of 300 ms took over 5 s");
    proxy.heal();
    await answers(redis);
  });

  check("a cut link ends in a RedisError and heals by itself", async ({ redis, proxy }) => {
    await redis.command(["PING"]);
    proxy.cut();
    await assertRejects(() => redis.command(["PING"]), RedisError);
    proxy.heal();
    await answers(redis);
  });

  check("it can be opened while the server is away", async ({ proxy, open, name }) => {
    proxy.cut();
    await using redis = await open();
    await assertRejects(() => redis.command(["PING"]), RedisError);
    await assertRejects(() => redis.subscribe(name, recorder()), RedisError);
    proxy.heal();
    await answers(redis);
    const seen = recorder();
    await subscribed(redis, name, seen);
    await redis.publish(name, "first");
    await until("the message arrives", () => seen.messages.length === 1);
    assertEquals(seen.resumptions, 0);
  });
}

function subscribed(redis: Redis, name: string, to: Subscription): Promise<void> {
  return until(
    "the subscription stands",
    () => redis.subscribe(name, to).then(() => true, () => false),
  );
}
