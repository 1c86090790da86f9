import { type Bench, type BenchContext, count, repeat } from "./bench.ts";
import { type Figure, figure } from "./figures.ts";
import type { Storm } from "./load_storm.ts";
import { metered } from "./meter.ts";
import { USUAL_ADMISSION } from "./scene.ts";
import { openStage } from "./stages.ts";

/** Messages that every room gets while its people are away. */
const MISSED = 20;
/** Postgres tells what it has counted after about a second. */
const STATISTICS_MS = 1500;

/**
 * Everybody is cut off at once, misses something, and comes back within a second, each with a
 * cursor, while somebody in another room goes on sending.
 */
export const reconnect: Bench = async (context) => [
  ...await storm(context, "limits of a node as by default", USUAL_ADMISSION),
  ...await storm(context, "everybody admitted at once", {}),
];

async function storm(
  context: BenchContext,
  how: string,
  env: Record<string, string>,
): Promise<Figure[]> {
  const { scene, pins, pick } = context;
  const [clients, inRoom] = pick([5000, 500], [500, 100], [10, 5]);
  const people = await scene.people(clients + 1);
  const [bystander, ...others] = people as [typeof people[number], ...typeof people];
  const groups = Array.from(
    { length: clients / inRoom },
    (_, i) => others.slice(i * inRoom, (i + 1) * inRoom),
  );
  const [own, ...ids] = await scene.rooms([
    [bystander],
    ...groups.map((group) => [bystander, ...group]),
  ]);
  const seats = groups.flatMap((group, i) => group.map(({ token }) => ({ room: ids[i]!, token })));
  await using stage = await openStage(context, env);
  const { load, server, port } = stage;
  const opening = { port, seats, bystander: bystander.token, withinMs: pick(2000, 500, 50) };
  await load.ask({ do: "ride", ...opening });
  const job = {
    do: "storm",
    missed: MISSED,
    withinMs: pick(1000, 1000, 50),
    bystander: { room: own!, perSecond: 100, beforeMs: pick(1500, 500, 50) },
  };
  const counted = async () => {
    await new Promise((resolve) => setTimeout(resolve, pick(STATISTICS_MS, STATISTICS_MS, 0)));
    return await scene.statements();
  };
  const what = `${count(clients)} clients in ${count(groups.length)} rooms, ${how}`;
  const runs = await repeat(context, what, async () => {
    const before = await counted();
    const one = await metered(pins, server, load, () => load.ask<Storm>(job));
    return { ...one, each: (await counted() - before) / clients };
  });
  const used = runs.map((run) => run.used);
  const of = (value: (one: Storm) => number) => runs.map(({ result }) => value(result));
  return [
    figure(`${what}: until the last has everything`, "ms", of((one) => one.caughtUpMs), { used }),
    figure(`${how}: attempts that were refused`, "", of((one) => one.retries)),
    figure(`${how}: clients told to reload`, "", of((one) => one.reloads)),
    figure(`${how}: missing or repeated`, "", of((one) => one.wrong), { goal: { atMost: 0 } }),
    figure(`${how}: SQL statements for each client`, "", runs.map(({ each }) => each)),
    figure(`${how}: a bystander's ack before, p99`, "ms", of((one) => one.before.p99Ms)),
    figure(`${how}: a bystander's ack meanwhile, p99`, "ms", of((one) => one.meanwhile.p99Ms)),
  ];
}
