import { assert, assertEquals } from "@std/assert";
import { testWith } from "../testing/services.ts";
import { until } from "../testing/until.ts";
import { startWorld } from "./cluster.ts";
import { removeAbandonedFolders } from "./cluster_folder.ts";
import { findWorldServices } from "./world_services.ts";

const service = await findWorldServices();

testWith(service, "a world is killed, stopped and set wrong, and heals", async () => {
  await using world = await startWorld();
  const [first, second] = [world.nodes[0]!, world.nodes[1]!];
  const ready = async () => {
    const answers = await Promise.all(world.nodes.map(({ url }) => fetch(`${url}/readyz`)));
    await Promise.all(answers.map((answer) => answer.body?.cancel()));
    return answers.map(({ status }) => status);
  };
  assertEquals(await ready(), [200, 200, 200]);

  await first.end("SIGINT");
  await first.startWithClock(600_000);
  assert(Math.abs(await first.clockOffsetMs() - 600_000) < 60_000);
  await Promise.all([
    world.redis.end("SIGKILL"),
    world.mosquitto.end("SIGKILL"),
    world.bridges[1]!.end("SIGKILL"),
    world.postgres.restartImmediately(),
  ]);
  second.pause();
  await until("it is stopped", () => second.isStopped());
  world.links({ from: "clients" }).forEach((link) => link.cut());
  assertEquals(world.bridges[1]!.running, false);

  await world.heal();
  assertEquals(await ready(), [200, 200, 200]);
  assert(Math.abs(await first.clockOffsetMs()) < 60_000);
  assertEquals(world.exits.map(({ name, told }) => [name, told?.signal]).sort(), [
    ["bridge2", "SIGKILL"],
    ["mosquitto", "SIGKILL"],
    ["postgres", "SIGQUIT"],
    ["redis", "SIGKILL"],
    ["web1", "SIGINT"],
    ["web1", "SIGINT"],
  ]);
});

testWith(service, "nothing of a world outlives its runner", async () => {
  const program = new URL("world_holder.ts", import.meta.url).pathname;
  const runner = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", program],
    stdout: "piped",
  }).spawn();
  const reader = runner.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let printed = "";
  while (!printed.includes("\n")) {
    const { value, done } = await reader.read();
    assert(!done, "the runner ended before it said who runs");
    printed += value;
  }
  const pids = printed.trim().split(" ");
  assertEquals(pids.length, 8);
  const living = () =>
    pids.filter((pid) => {
      try {
        return !/\) [ZX] /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
      } catch {
        return false;
      }
    });
  assertEquals(living(), pids);
  runner.kill("SIGKILL");
  await runner.status;
  await reader.cancel();
  await until("nothing runs", () => living().length === 0);
  await removeAbandonedFolders();
});
