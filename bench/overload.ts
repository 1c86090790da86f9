import { type Bench, count } from "./bench.ts";
import { type Figure, figure } from "./figures.ts";
import type { Overloaded } from "./load_overload.ts";
import type { Saturated } from "./load_saturate.ts";
import { memoryKiB } from "./process.ts";
import { USUAL_ADMISSION } from "./scene.ts";
import { openStage, tokensOf } from "./stages.ts";

const TIMES = 10;
/** A message is so many usual ones long, a kilobyte: what sleepers are sent fills every buffer. */
const TEXTS = 16;
/** Where a node has no memory left for more, by default, with a quarter for what is under way. */
const MEMORY_MIB = 2048 * 1.25;

/**
 * One room, ten times as many messages as it can deliver, and some receivers that do not read: what
 * happens to the sends, to those who keep up, to those who do not, and to the server's memory.
 */
export const overload: Bench = async (context) => {
  const { scene, pick, runs, log } = context;
  const [receivers, asleep, senders] = pick([1000, 20, 256], [300, 10, 64], [6, 2, 4]);
  const people = await scene.people(receivers + senders);
  const tokens = tokensOf(people);
  const seen: (Overloaded & { perSecond: number; beforeMiB: number; peakMiB: number })[] = [];
  for (let run = 0; run < runs; run++) {
    log(`  overload, run ${run + 1}`);
    const room = await scene.room(people);
    await using stage = await openStage(context, {
      LIMIT_RSS_BYTES: USUAL_ADMISSION.LIMIT_RSS_BYTES,
    });
    const { load, server, port } = stage;
    const listening = tokens.slice(senders);
    await load.ask({ do: "receive", dialect: "confab", port, room, tokens: listening });
    await load.ask({ do: "connect", port, tokens: tokens.slice(0, senders), texts: TEXTS });
    const closed = { do: "saturate", room, inFlight: 256, ms: pick(2000, 500, 50) };
    const { messages, ms } = await load.ask<Saturated>(closed);
    const perSecond = Math.round(TIMES * messages * 1000 / ms);
    const beforeMiB = await memoryKiB(server) / 1024;
    await load.ask({ do: "tolerate" });
    const job = { do: "overload", room, perSecond, ms: pick(5000, 1000, 100), asleep };
    const result = await load.ask<Overloaded>(job);
    seen.push({
      ...result,
      perSecond,
      beforeMiB,
      peakMiB: await memoryKiB(server, "VmHWM") / 1024,
    });
  }
  return overloadFigures(receivers, asleep, seen);
};

function overloadFigures(
  receivers: number,
  asleep: number,
  runs: (Overloaded & { perSecond: number; beforeMiB: number; peakMiB: number })[],
): Figure[] {
  const of = (value: (run: typeof runs[number]) => number) => runs.map(value);
  const share = (value: (run: typeof runs[number]) => number) =>
    of((run) => value(run) * 100 / run.messages);
  const codes = [...new Set(runs.flatMap(({ refused }) => Object.keys(refused)))].sort();
  const closes = [...new Set(["4008", ...runs.flatMap(({ closed }) => Object.keys(closed))])];
  const name = `${count(receivers)} sockets, ${asleep} of them asleep`;
  return [
    figure(`${name}: messages due`, "/s", of((run) => run.perSecond)),
    figure("sends: stored and acknowledged", "%", share((run) => run.acked)),
    ...codes.map((code) =>
      figure(`sends: refused with \`${code}\``, "%", share((run) => run.refused[code] ?? 0))
    ),
    figure("sends: without any answer", "%", share((run) => run.unanswered), {
      goal: { atMost: 0 },
    }),
    figure("receivers: stayed, and have everything", "", of((run) => run.stayed)),
    figure("receivers: stayed, and lack something", "", of((run) => run.behind + run.wrong), {
      goal: { atMost: 0 },
    }),
    ...closes.map((code) =>
      figure(`receivers: closed with ${code}`, "", of((run) => run.closed[code] ?? 0), {
        goal: code === "4008" ? { atLeast: asleep } : { atMost: 0 },
      })
    ),
    figure("server RSS before", "MiB", of((run) => run.beforeMiB)),
    figure("server RSS at most", "MiB", of((run) => run.peakMiB), { goal: { atMost: MEMORY_MIB } }),
  ];
}
