import { assert, assertEquals } from "@std/assert";
import { testWith } from "../testing/services.ts";
import { startWorld } from "./cluster.ts";
import { torment } from "./nemesis.ts";
import { plan } from "./nemesis_plan.ts";
import { Random } from "./random.ts";
import { Workload } from "./workload.ts";
import { findWorldServices } from "./world_services.ts";

const service = await findWorldServices();

testWith(service, "every fault that is dealt shows, and the world heals from all", async () => {
  await using world = await startWorld({ seed: 1 });
  const { signal } = new AbortController();
  const options = { seed: 1, random: new Random(1), signal, writesPerSecond: 40 };
  await using workload = await Workload.start(world, options);
  const dealt = plan(1, 30);
  const { records, unseen } = await torment({ world, crowd: workload, plan: dealt, signal });
  assertEquals(unseen, []);
  assertEquals([...new Set(records.map((record) => record.class))].sort(), dealt.dealt);
  for (const { class: name, target, evidence, from, to } of records) {
    assert(target !== "" && evidence !== "" && from <= to, name);
  }
  for (const node of world.nodes) {
    assert(await node.isReady(), node.name);
    assert(Math.abs(await node.clockOffsetMs()) < 60_000);
  }
  assert(world.links({}).every((link) => link.held < 300_000));
  // What ended without having been told to would be a fault of the product, or of this suite
  assertEquals(world.exits.filter((exit) => !exit.starting && exit.told === undefined), []);
});
