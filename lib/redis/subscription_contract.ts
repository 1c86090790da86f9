import { assertEquals } from "@std/assert";
import { until } from "../../testing/until.ts";
import type { Check } from "./contract.ts";
import type { Redis, Subscription } from "./mod.ts";

/** What a subscription must do while the link holds. */
export function subscriptionContract(check: Check): void {
  check("messages arrive in order, from the resolved promise on", async ({ redis, name }) => {
    const seen = recorder();
    await redis.subscribe(name, seen);
    const sent = Array.from({ length: 50 }, (_, i) => `${i}, "naïve", 🦕`);
    for (const text of sent) await redis.publish(name, text);
    await until("all messages arrive", () => seen.messages.length >= sent.length);
    assertEquals(seen.messages, sent);
    assertEquals(seen.resumptions, 0);
  });

  check("a channel has several subscriptions, each stopped alone", async ({ redis, name }) => {
    const [a, b] = [recorder(), recorder()];
    const stopA = await redis.subscribe(name, a);
    const stopB = await redis.subscribe(name, b);
    await redis.publish(name, "both");
    await until("both get it", () => a.messages.length === 1 && b.messages.length === 1);
    await stopA();
    await stopA();
    await redis.publish(name, "only b");
    await until("b gets it", () => b.messages.length === 2);
    assertEquals(a.messages, ["both"]);
    await stopB();
    const again = recorder();
    await redis.subscribe(name, again);
    await redis.publish(name, "again");
    await until("the new one gets it", () => again.messages.length === 1);
    assertEquals([a.messages.length, b.messages.length], [1, 2]);
  });

  check("channels do not mix", async ({ redis, name }) => {
    const [a, b] = [recorder(), recorder()];
    await redis.subscribe(`${name}:a`, a);
    await redis.subscribe(`${name}:b`, b);
    await redis.publish(`${name}:a`, "for a");
    await redis.publish(`${name}:b`, "for b");
    await until("both get theirs", () => a.messages.length === 1 && b.messages.length === 1);
    assertEquals([a.messages, b.messages], [["for a"], ["for b"]]);
  });
}

/** What a subscription must do when the link breaks. */
export function resumeContract(check: Check): void {
  check("after a cut a subscription stands again and says so", async ({ redis, proxy, name }) => {
    const [one, other] = [recorder(), recorder()];
    await redis.subscribe(name, one);
    await redis.subscribe(`${name}:2`, other);
    proxy.cut();
    await until("it is interrupted", () => one.interruptions === 1 && other.interruptions === 1);
    proxy.heal();
    await until("it is resumed", () => one.resumptions === 1 && other.resumptions === 1);
    await answers(redis);
    await redis.publish(name, "after the cut");
    await until("the message arrives", () => one.messages.length === 1);
    assertEquals([one.messages, other.messages], [["after the cut"], []]);
  });

  check("a stopped subscription does not come back", async ({ redis, proxy, name }) => {
    const [stopped, kept] = [recorder(), recorder()];
    const stop = await redis.subscribe(name, stopped);
    await redis.subscribe(`${name}:2`, kept);
    proxy.cut();
    await until("it is interrupted", () => kept.interruptions === 1);
    await stop();
    proxy.heal();
    await until("the other is resumed", () => kept.resumptions === 1);
    assertEquals(stopped.resumptions, 0);
  });

  check("a stream that only hangs is noticed and renewed", async ({ redis, proxy, name }) => {
    const seen = recorder();
    await redis.subscribe(name, seen);
    proxy.blackhole();
    await until("it is interrupted", () => seen.interruptions === 1);
    proxy.heal();
    await until("it is resumed", () => seen.resumptions === 1);
    assertEquals(seen.messages, []);
  });

  check("a quiet subscription that is alive is left alone", async ({ redis, name }) => {
    const seen = recorder();
    await redis.subscribe(name, seen);
    const end = performance.now() + 1_000; // several times the quiet time of the fixture
    await until("time passes", () => performance.now() > end);
    assertEquals([seen.interruptions, seen.resumptions, seen.messages.length], [0, 0, 0]);
  });
}

/** A subscription that notes what it is told. */
export function recorder(): Subscription & {
  messages: string[];
  interruptions: number;
  resumptions: number;
} {
  return {
    messages: [],
    interruptions: 0,
    resumptions: 0,
    message(payload) {
      this.messages.push(payload);
    },
    interrupted() {
      this.interruptions++;
    },
    resumed() {
      this.resumptions++;
    },
  };
}

/** Resolves when the server answers again. */
export function answers(redis: Redis): Promise<void> {
  return until("Redis answers", () => redis.command(["PING"]).then(() => true, () => false));
}
