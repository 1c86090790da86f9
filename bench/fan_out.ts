import { type Bench, type BenchContext, count, repeat } from "./bench.ts";
import { type Figure, figure, percentile, type System } from "./figures.ts";
import type { Paced } from "./load_pace.ts";
import type { Saturated } from "./load_saturate.ts";
import { metered, type Used } from "./meter.ts";
import { memoryKiB } from "./process.ts";
import { type Contestant, findPeers, noTokens, openStage, type Stage, tokensOf } from "./stages.ts";

/** Messages on their way in Confab's closed loop, sent by so many. */
const IN_FLIGHT = 256;
const SENDERS = 8;
/** Deliveries on their way in a peer's closed loop: enough to keep it busy. */
const PEER_DELIVERIES = 32_000;
const RATES = [200, 1000];

/**
 * Everybody in one room gets every message. At Confab real sends, each committed before anybody gets
 * it, by a few senders that are members but have not joined; signals and peers' messages are sent by
 * one of the receivers and stored nowhere.
 */
export const fanOut: Bench = async (context) => {
  const peers = await findPeers(context);
  const figures: Figure[] = [];
  for (const sockets of context.pick([100, 1000, 5000], [100, 1000], [8])) {
    figures.push(...await atConfab(context, sockets));
    figures.push(...await signals(context, sockets));
    for (const peer of peers) figures.push(...await atPeer(context, peer, sockets));
  }
  return figures;
};

async function atConfab(context: BenchContext, sockets: number): Promise<Figure[]> {
  const { scene } = context;
  const people = await scene.people(sockets + SENDERS);
  const room = await scene.room(people);
  const tokens = tokensOf(people);
  await using stage = await openStage(context);
  const { load, port } = stage;
  const receivers = tokens.slice(SENDERS);
  await load.ask({ do: "receive", dialect: "confab", port, room, tokens: receivers });
  await load.ask({ do: "connect", port, tokens: tokens.slice(0, SENDERS) });
  return await loops(context, stage, "Confab", { sockets, room, inFlight: IN_FLIGHT });
}

async function signals(context: BenchContext, sockets: number): Promise<Figure[]> {
  const people = await context.scene.people(sockets);
  const room = await context.scene.room(people);
  await using stage = await openStage(context, { LIMIT_PRESENCE_MEMBERS: "0" });
  const { load, port } = stage;
  const tokens = tokensOf(people);
  await load.ask({ do: "receive", dialect: "confab-signals", port, room, tokens });
  // The length of one alone is what their number is told from.
  await load.ask({ do: "saturate", room, inFlight: 1, ms: 1 });
  const who = "Confab, signals";
  const closed = await closedLoop(context, stage, who, { sockets, room, inFlight: 64 });
  return closedFigures(who, sockets, closed);
}

async function atPeer(
  context: BenchContext,
  { who, dialect, open }: Contestant,
  sockets: number,
): Promise<Figure[]> {
  await using stage = await open();
  const { load, port } = stage;
  await load.ask({ do: "receive", dialect, port, room: "room", tokens: noTokens(sockets) });
  const inFlight = Math.min(IN_FLIGHT, Math.max(8, Math.round(PEER_DELIVERIES / sockets)));
  return await loops(context, stage, who, { sockets, room: "room", inFlight });
}

interface Hall {
  sockets: number;
  room: string;
  inFlight: number;
}

type Measurement<T> = { result: T; used: Used };

async function loops(
  context: BenchContext,
  stage: Stage,
  who: System,
  hall: Hall,
): Promise<Figure[]> {
  const { sockets, room } = hall;
  const closed = await closedLoop(context, stage, who, hall);
  const figures = closedFigures(who, sockets, closed);
  const rates = closed.map(({ result }) => result.delivered * 1000 / result.ms);
  const most = percentile(rates.sort((a, b) => a - b), 50);
  for (const perSecond of RATES) {
    if (perSecond * sockets > most) {
      figures.push(...tooMuch(who, sockets, perSecond));
      continue;
    }
    const job = { do: "pace", room, perSecond, ms: context.pick(3000, 1000, 50) };
    const what = `${who}, ${count(sockets)} sockets, ${count(perSecond)} messages/s`;
    const measure = () =>
      metered(context.pins, stage.server, stage.load, () => stage.load.ask<Paced>(job));
    figures.push(...pacedFigures(who, sockets, perSecond, await repeat(context, what, measure)));
  }
  const peakMiB = await memoryKiB(stage.server, "VmHWM") / 1024;
  const what = `${count(sockets)} sockets: server RSS at most`;
  return [...figures, figure(what, "MiB", [peakMiB], { who })];
}

async function closedLoop(
  context: BenchContext,
  { server, load }: Stage,
  who: System,
  { sockets, room, inFlight }: Hall,
): Promise<Measurement<Saturated>[]> {
  const job = { do: "saturate", room, inFlight, ms: context.pick(3000, 500, 50) };
  await load.ask({ ...job, ms: Math.min(job.ms, 1000) }); // warms both up
  return await repeat(
    context,
    `${who}, ${count(sockets)} sockets, closed loop`,
    () => metered(context.pins, server, load, () => load.ask<Saturated>(job)),
  );
}

function closedFigures(who: System, sockets: number, runs: Measurement<Saturated>[]): Figure[] {
  const ours = who === "Confab";
  const hot = ours && sockets === 1000;
  const used = runs.map((run) => run.used);
  const name = `${count(sockets)} sockets, closed loop`;
  return [
    figure(
      `${name}: server CPU per delivery`,
      "µs",
      runs.map(({ result, used }) => used.serverMs * 1000 / result.delivered),
      { who, used, goal: hot ? { atMost: 0.6 } : undefined },
    ),
    figure(
      `${name}: deliveries`,
      "/s",
      runs.map(({ result }) => result.delivered * 1000 / result.ms),
      { who, used, goal: hot ? { atLeast: 1_500_000 } : undefined },
    ),
    missing(who, name, runs.map(({ result }) => result.wrong)),
  ];
}

function pacedFigures(
  who: System,
  sockets: number,
  perSecond: number,
  runs: Measurement<Paced>[],
): Figure[] {
  const name = `${count(sockets)} sockets, ${count(perSecond)} messages/s`;
  const hot = who === "Confab" && sockets === 1000;
  const goal = hot ? { atMost: perSecond === 200 ? 50 : 100 } : undefined;
  const used = runs.map((run) => run.used);
  return [
    figure(`${name}: send → delivered p50`, "ms", runs.map(({ result }) => result.p50Ms), {
      who,
      used,
    }),
    figure(`${name}: send → delivered p99`, "ms", runs.map(({ result }) => result.p99Ms), {
      who,
      used,
      goal,
    }),
    missing(who, name, runs.map(({ result }) => result.wrong)),
  ];
}

function missing(who: System, name: string, values: number[]): Figure {
  const goal = who === "Confab" ? { atMost: 0 } : undefined;
  return figure(`${name}: missing or repeated`, "", values, { who, goal });
}

/** In the place of an open loop at a rate that the closed loop did not reach. */
function tooMuch(who: System, sockets: number, perSecond: number): Figure[] {
  const name = `${count(sockets)} sockets, ${count(perSecond)} messages/s`;
  const note = "more than the closed loop reached";
  return ["p50", "p99"].map((p) =>
    figure(`${name}: send → delivered ${p}`, "ms", [], { who, note })
  );
}
