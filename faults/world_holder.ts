/** Runs a world until it is killed; prints the ids of its processes. A test kills it. */
import { startWorld } from "./cluster.ts";

if (import.meta.main) {
  const world = await startWorld();
  world.nodes[0]!.pause(); // a stopped one must end too
  world.postgres.pause();
  const { nodes, bridges, postgres, redis, mosquitto } = world;
  const pids = [...nodes, ...bridges, postgres, redis, mosquitto].map(({ pid }) => pid);
  await Deno.stdout.write(new TextEncoder().encode(`${pids.join(" ")}\n`));
  setInterval(() => {}, 1000);
}
