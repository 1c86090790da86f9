import { assertEquals } from "@std/assert";
import { recordedLog } from "../../testing/chat.ts";
import { until } from "../../testing/until.ts";
import { Beacon } from "./beacon.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

function scene(round: () => Promise<void>, seconds = 3600, up = true) {
  const { log, lines } = recordedLog();
  const beacon = new Beacon({ seconds, fastSeconds: 0.01, busIsUp: () => up, round, log });
  return { beacon, lines };
}

Deno.test("Beacon runs again and again, also after a failure", strict, async () => {
  let rounds = 0;
  const { beacon, lines } = scene(() => {
    rounds++;
    return rounds === 1 ? Promise.reject(new Error("away")) : Promise.resolve();
  }, 0.005);
  await until("rounds", () => rounds >= 3);
  await beacon.stop();
  assertEquals(lines.length, 1);
});

Deno.test("Beacon hurries while the bus is down", strict, async () => {
  let rounds = 0;
  const { beacon } = scene(() => Promise.resolve(void rounds++), 3600, false);
  await until("rounds", () => rounds >= 2);
  await beacon.stop();
});

Deno.test("now() joins the round under way", strict, async () => {
  let rounds = 0;
  const end = Promise.withResolvers<void>();
  const { beacon } = scene(() => {
    rounds++;
    return end.promise;
  });
  const both = [beacon.now(), beacon.now()];
  end.resolve();
  await Promise.all(both);
  assertEquals(rounds, 1);
  await beacon.now();
  assertEquals(rounds, 2);
  await beacon.stop();
});

Deno.test("stop() waits for the round under way, and none begins after it", strict, async () => {
  let rounds = 0;
  const end = Promise.withResolvers<void>();
  const { beacon } = scene(() => {
    rounds++;
    return end.promise;
  });
  void beacon.now();
  let stopped = false;
  const stopping = beacon.stop().then(() => stopped = true);
  await new Promise((resolve) => setImmediate(resolve));
  assertEquals(stopped, false);
  end.resolve();
  await stopping;
  await beacon.now();
  assertEquals(rounds, 1);
});
