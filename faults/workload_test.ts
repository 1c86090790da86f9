import { assert, assertEquals } from "@std/assert";
import type { SqlValue } from "../lib/database/mod.ts";
import { single } from "../testing/backend.ts";
import { freePort } from "../testing/mosquitto.ts";
import { startNodeProcess } from "../testing/node_process.ts";
import { testWith } from "../testing/services.ts";
import { wait } from "./clients/waiting.ts";
import { check } from "./checker.ts";
import { Random } from "./random.ts";
import { Workload, type WorkloadWorld } from "./workload.ts";

const kind = single();
/** The checks that hold a bound of time: how fast this machine is now says nothing. */
const TIMED = ["converged", "revoked", "presence"];

testWith(kind.service, "a faultless run leaves nothing unanswered and nobody behind", async () => {
  await using backend = await kind.start();
  await using node = await startNodeProcess({
    ...backend.env,
    BEACON_SECONDS: "1",
    PRESENCE_LEASE_SECONDS: "3",
    MQTT_PORT: `${freePort()}`,
    LOG_LEVEL: "warn",
  });
  const start = performance.now();
  const world: WorkloadWorld = {
    now: () => performance.now() - start,
    nodes: [{ name: "web1", url: node.url }],
    postgres: {
      query: (sql, parameters = []) =>
        backend.database.db.query(sql, parameters as SqlValue[]) as never,
    },
  };
  const end = new AbortController();
  await using workload = await Workload.start(world, {
    seed: 1,
    random: new Random(1),
    signal: end.signal,
    writesPerSecond: 60,
    logoutAfterMs: 1500,
    disableAfterMs: 1500,
    removeEveryMs: 1000,
    renewEveryMs: 700,
  });
  await wait(1500, end.signal);
  assert(await workload.quiet(300), "the last messages before silence are acknowledged");
  assertEquals(await workload.stallReaders(2, 500), 2);
  assert(workload.cutClients() > 5);
  await wait(1000, end.signal);
  const { history, problems, answered } = await workload.finish(world.now());

  assertEquals(problems, []);
  assert(answered);
  const violations = check(history).filter((one) => !TIMED.includes(one.check));
  assertEquals(violations, []);
});
