import type { Bench, BenchContext } from "./bench.ts";
import { type Figure, figure } from "./figures.ts";
import type { AckedSends } from "./load_sends.ts";
import { Program } from "./program.ts";
import type { Person } from "./scene.ts";

const SENDERS = [1, 16, 256];

/**
 * Senders that wait for each acknowledgement, which follows the commit: at the appender in process,
 * and over a WebSocket each. Nobody has joined the rooms, so that only storing is measured.
 */
export const durable: Bench = async (context) => {
  const { scene } = context;
  const people = await scene.people(Math.max(...SENDERS));
  const hot = await scene.room(people);
  const own = await Promise.all(people.map((person) => scene.room([person])));
  const places = { "one hot room": people.map(() => hot), "a room each": own };
  return [
    ...await atAppender(context, people, places),
    ...await overSockets(context, people, places),
  ];
};

type Places = Record<string, string[]>;

async function atAppender(
  context: BenchContext,
  people: Person[],
  places: Places,
): Promise<Figure[]> {
  await using appender = new Program("appender", context.pins.server);
  const ids = people.map(({ id }) => id);
  await appender.ask({ databaseUrl: context.scene.databaseUrl, people: ids });
  return await measure(context, "at the appender", places, (job) => appender.ask(job));
}

async function overSockets(
  context: BenchContext,
  people: Person[],
  places: Places,
): Promise<Figure[]> {
  await using server = new Program("server", context.pins.server);
  await using load = new Program("load", context.pins.load);
  const { url } = await server.ask<{ url: string }>({ env: context.scene.env });
  const tokens = people.map(({ token }) => token);
  await load.ask({ do: "connect", port: Number(new URL(url).port), tokens });
  return await measure(context, "over WebSocket", places, (job) => load.ask(job));
}

async function measure(
  { quick, log }: BenchContext,
  how: string,
  places: Places,
  run: (job: { do: "sends"; rooms: string[]; ms: number }) => Promise<AckedSends>,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [where, rooms] of Object.entries(places)) {
    for (const senders of SENDERS) {
      const name = `durable sends ${how}, ${senders} to ${where}`;
      const job = { do: "sends" as const, rooms: rooms.slice(0, senders), ms: quick ? 100 : 3000 };
      await run({ ...job, ms: Math.min(job.ms, 1000) }); // warms it up
      const results: AckedSends[] = [];
      for (let i = 0; i < (quick ? 1 : 5); i++) {
        log(`  ${name}, run ${i + 1}`);
        results.push(await run(job));
      }
      figures.push(...figuresOf(name, senders, results));
    }
  }
  return figures;
}

function figuresOf(name: string, senders: number, runs: AckedSends[]): Figure[] {
  const many = senders === Math.max(...SENDERS);
  return [
    figure(
      name,
      "messages/s",
      runs.map(({ perSecond }) => perSecond),
      ...(many ? [{ atLeast: 25_000 }] : []),
    ),
    figure(`${name}: ack p50`, "ms", runs.map(({ p50Ms }) => p50Ms)),
    figure(
      `${name}: ack p99`,
      "ms",
      runs.map(({ p99Ms }) => p99Ms),
      ...(many ? [{ atMost: 30 }] : []),
    ),
  ];
}
