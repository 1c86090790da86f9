import { type Bench, count, repeat } from "./bench.ts";
import { figure } from "./figures.ts";
import type { Chatter } from "./load_rooms.ts";
import { metered } from "./meter.ts";
import { openStage } from "./stages.ts";

const EACH = 5;

/** Many rooms of five people, who all send in turn: an open loop over all of them. */
export const rooms: Bench = async (context) => {
  const { scene, pins, pick } = context;
  const [many, perSecond] = pick([1000, 4000], [200, 1000], [4, 100]);
  const people = await scene.people(many * EACH);
  const groups = Array.from({ length: many }, (_, i) => people.slice(i * EACH, (i + 1) * EACH));
  const ids = await scene.rooms(groups);
  const seats = groups.flatMap((group, i) => group.map(({ token }) => ({ room: ids[i]!, token })));
  await using stage = await openStage(context);
  const { load, server, port } = stage;
  await load.ask({ do: "sit", port, seats });
  const job = { do: "chatter", perSecond, ms: pick(4000, 1000, 100) };
  await load.ask({ ...job, ms: Math.min(job.ms, 1000) }); // warms both up
  const what = `${count(many)} rooms of ${EACH}, ${count(perSecond)} messages/s`;
  const measured = await repeat(
    context,
    what,
    () => metered(pins, server, load, () => load.ask<Chatter>(job)),
  );
  const used = measured.map((one) => one.used);
  const of = (value: (one: Chatter) => number) => measured.map(({ result }) => value(result));
  return [
    figure(`${what}: send → delivered p50`, "ms", of((one) => one.p50Ms), { used }),
    figure(`${what}: send → delivered p99`, "ms", of((one) => one.p99Ms), {
      used,
      goal: { atMost: 50 },
    }),
    figure(`${what}: missing or repeated`, "", of((one) => one.wrong), { goal: { atMost: 0 } }),
    figure(
      `${what}: server CPU per message`,
      "µs",
      measured.map(({ used, result }) => used.serverMs * 1000 / result.messages),
    ),
  ];
};
