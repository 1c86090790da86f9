import type { Bench, BenchContext } from "./bench.ts";
import { type Figure, figure } from "./figures.ts";
import type { Paced } from "./load_pace.ts";
import type { Saturated } from "./load_saturate.ts";
import { Program } from "./program.ts";

/** Messages on their way in the closed loop. */
const IN_FLIGHT = 256;
const SENDERS = 8;

/**
 * Everybody in one room gets every message. Real sends, each committed before anybody gets it, by a
 * few senders that are members but have not joined; the receivers only read.
 */
export const fanOut: Bench = async (context) => {
  return [...await withSockets(context, 100), ...await withSockets(context, 1000)];
};

async function withSockets(context: BenchContext, sockets: number): Promise<Figure[]> {
  const { scene, pins, quick, log } = context;
  const people = await scene.people(sockets + SENDERS);
  const room = await scene.room(people);
  await using server = new Program("server", pins.server);
  await using load = new Program("load", pins.load);
  const { url } = await server.ask<{ url: string }>({ env: scene.env });
  const port = Number(new URL(url).port);
  const tokens = people.map(({ token }) => token);
  await load.ask({ do: "receive", port, room, tokens: tokens.slice(SENDERS) });
  await load.ask({ do: "connect", port, tokens: tokens.slice(0, SENDERS) });
  const job = { room, inFlight: IN_FLIGHT, ms: quick ? 500 : 5000 };
  await load.ask({ do: "saturate", ...job, ms: 1000 }); // warms both up
  const closed: Closed[] = [];
  for (let run = 0; run < (quick ? 1 : 5); run++) {
    log(`  ${sockets} sockets, closed loop, run ${run + 1}`);
    closed.push(await measured(server, load, { do: "saturate", ...job }));
  }
  const figures = closedFigures(sockets, closed);
  if (sockets < 1000) return figures;
  for (const [perSecond, goalMs] of [[200, 50], [1000, 100]] as const) {
    const paced: Paced[] = [];
    for (let run = 0; run < (quick ? 1 : 5); run++) {
      log(`  ${sockets} sockets, ${perSecond} messages/s, run ${run + 1}`);
      paced.push(await load.ask({ do: "pace", room, perSecond, ms: quick ? 1000 : 5000 }));
    }
    figures.push(...pacedFigures(sockets, perSecond, goalMs, paced));
  }
  const peakMiB = await server.memoryKiB("VmHWM") / 1024;
  return [...figures, figure(`fan-out to ${sockets}: server RSS at most`, "MiB", [peakMiB])];
}

type Closed = Saturated & { serverMs: number; loadMs: number };

/** Runs a job and adds the CPU that both processes used meanwhile. */
async function measured(server: Program, load: Program, job: unknown): Promise<Closed> {
  const before = [await server.cpuMs(), await load.cpuMs()] as const;
  const result = await load.ask<Saturated>(job);
  const after = [await server.cpuMs(), await load.cpuMs()] as const;
  return { ...result, serverMs: after[0] - before[0], loadMs: after[1] - before[1] };
}

function closedFigures(sockets: number, runs: Closed[]): Figure[] {
  const hot = sockets === 1000;
  const of = (value: (run: Closed) => number) => runs.map(value);
  const name = `fan-out to ${sockets}, ${IN_FLIGHT} in flight`;
  return [
    figure(
      `${name}: server CPU per delivery`,
      "µs",
      of((run) => run.serverMs * 1000 / run.delivered),
      ...(hot ? [{ atMost: 0.6 }] : []),
    ),
    figure(
      `${name}: deliveries`,
      "/s",
      of((run) => run.delivered * 1000 / run.ms),
      ...(hot ? [{ atLeast: 1_500_000 }] : []),
    ),
    figure(`${name}: server busy`, "% of a core", of((run) => run.serverMs * 100 / run.ms)),
    figure(`${name}: load generator busy`, "% of a core", of((run) => run.loadMs * 100 / run.ms)),
    figure(`${name}: missing or repeated`, "", of((run) => run.wrong), { atMost: 0 }),
  ];
}

function pacedFigures(
  sockets: number,
  perSecond: number,
  goalMs: number,
  runs: Paced[],
): Figure[] {
  const of = (value: (run: Paced) => number) => runs.map(value);
  const name = `fan-out to ${sockets} at ${perSecond} messages/s`;
  return [
    figure(`${name}: send → delivered p50`, "ms", of((run) => run.p50Ms)),
    figure(`${name}: send → delivered p99`, "ms", of((run) => run.p99Ms), { atMost: goalMs }),
    figure(`${name}: missing or repeated`, "", of((run) => run.wrong), { atMost: 0 }),
  ];
}
