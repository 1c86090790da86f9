import { type Bench, type BenchContext, count, repeat } from "./bench.ts";
import { type Figure, figure } from "./figures.ts";
import type { AckedSends } from "./load_sends.ts";
import { metered, type Used } from "./meter.ts";
import { Program } from "./program.ts";
import type { Person } from "./scene.ts";
import { openStage, tokensOf } from "./stages.ts";

/** The number of senders that has a goal. */
const MANY = 256;

/**
 * Senders that wait for each acknowledgement, which follows the commit: at the appender in process,
 * and over a WebSocket each. Nobody has joined the rooms, so that only storing is measured.
 */
export const durable: Bench = async (context) => {
  const { scene, pick } = context;
  const senders = pick([1, 16, 256, 1024], [1, 16, 256], [1, 4]);
  const people = await scene.people(senders.at(-1)!);
  const hot = await scene.room(people);
  const own = await scene.rooms(people.map((person) => [person]));
  const places = { "one hot room": people.map(() => hot), "a room each": own };
  return [
    ...await atAppender(context, people, { senders, places }),
    ...await overSockets(context, people, { senders, places }),
  ];
};

interface Plan {
  senders: number[];
  /** The room of each sender, by what that is called. */
  places: Record<string, string[]>;
}

async function atAppender(context: BenchContext, people: Person[], plan: Plan): Promise<Figure[]> {
  await using appender = new Program("appender", context.pins.server);
  const ids = people.map(({ id }) => id);
  await appender.ask({ databaseUrl: context.scene.databaseUrl, people: ids });
  return await measure(context, "at the appender", plan, async (job) => ({
    result: await appender.ask<AckedSends>(job),
  }));
}

async function overSockets(context: BenchContext, people: Person[], plan: Plan): Promise<Figure[]> {
  await using stage = await openStage(context);
  const { server, load, port } = stage;
  await load.ask({ do: "connect", port, tokens: tokensOf(people) });
  return await measure(
    context,
    "over WebSocket",
    plan,
    (job) => metered(context.pins, server, load, () => load.ask<AckedSends>(job)),
  );
}

type Run = { result: AckedSends; used?: Used };

async function measure(
  context: BenchContext,
  how: string,
  { senders, places }: Plan,
  run: (job: { do: "sends"; rooms: string[]; ms: number }) => Promise<Run>,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [where, rooms] of Object.entries(places)) {
    for (const many of senders) {
      const name = `${how}, ${count(many)} to ${where}`;
      const ms = context.pick(2000, 100, 20);
      const job = { do: "sends" as const, rooms: rooms.slice(0, many), ms };
      await run({ ...job, ms: Math.min(ms, 700) }); // warms it up
      const runs = await repeat(context, `durable sends ${name}`, () => run(job));
      figures.push(...figuresOf(name, many === MANY, runs));
    }
  }
  return figures;
}

function figuresOf(name: string, hasGoal: boolean, runs: Run[]): Figure[] {
  const of = (value: (one: AckedSends) => number) => runs.map(({ result }) => value(result));
  const used = runs.flatMap(({ used }) => used ?? []);
  return [
    figure(name, "messages/s", of(({ perSecond }) => perSecond), {
      used,
      goal: hasGoal ? { atLeast: 25_000 } : undefined,
    }),
    figure(`${name}: ack p50`, "ms", of(({ p50Ms }) => p50Ms)),
    figure(`${name}: ack p99`, "ms", of(({ p99Ms }) => p99Ms), {
      goal: hasGoal ? { atMost: 30 } : undefined,
    }),
  ];
}
