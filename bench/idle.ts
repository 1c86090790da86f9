import { type Bench, type BenchContext, count, repeat } from "./bench.ts";
import { type Figure, figure, type System } from "./figures.ts";
import { memoryKiB } from "./process.ts";
import { type Contestant, findPeers, noTokens, openStage, type Stage, tokensOf } from "./stages.ts";

/**
 * Memory of sockets that are signed in, in one room with all the others, and quiet. Of the first
 * ones a part is what a process grows to once (V8 gives its young generation up to 48 MiB when much
 * happens at a time), so that those after the first fifth are shown for themselves as well.
 */
export const idle: Bench = async (context) => {
  const { scene, pick } = context;
  const sockets = pick(10_000, 2000, 20);
  const people = await scene.people(sockets);
  const room = await scene.room(people);
  const ours = await measure(context, "Confab", {
    sockets,
    room,
    dialect: "confab",
    tokens: tokensOf(people),
    open: () => openStage(context),
  });
  const figures = [...ours];
  for (const { who, dialect, open } of await findPeers(context)) {
    const tokens = noTokens(sockets);
    figures.push(...await measure(context, who, { sockets, room: "room", dialect, tokens, open }));
  }
  return figures;
};

type Crowd = Pick<Contestant, "dialect" | "open"> & {
  sockets: number;
  room: string;
  tokens: string[];
};

async function measure(
  context: BenchContext,
  who: System,
  { sockets, room, dialect, tokens, open }: Crowd,
): Promise<Figure[]> {
  const first = Math.floor(sockets / 5);
  const settleMs = context.pick(2000, 500, 0);
  const runs = await repeat(context, `${who}, ${count(sockets)} idle sockets`, async () => {
    await using stage = await open();
    const { server, load, port } = stage as Stage;
    const memory = [await memoryKiB(server)];
    for (const some of [tokens.slice(0, first), tokens.slice(first)]) {
      await load.ask({ do: "receive", dialect, port, room, tokens: some });
      await new Promise((resolve) => setTimeout(resolve, settleMs));
      memory.push(await memoryKiB(server));
    }
    const [before, between, after] = memory as [number, number, number];
    return {
      each: (after - before) / sockets,
      later: (after - between) / (sockets - first),
      allMiB: after / 1024,
    };
  });
  const goal = who === "Confab" ? { atMost: 22 } : undefined;
  const name = `${count(sockets)} idle sockets in a room`;
  return [
    figure(`${name}: RSS of each`, "KiB", runs.map(({ each }) => each), { who, goal }),
    figure(
      `${name}: of each after the first ${count(first)}`,
      "KiB",
      runs.map((run) => run.later),
      {
        who,
        goal,
      },
    ),
    figure(`${name}: the whole server`, "MiB", runs.map(({ allMiB }) => allMiB), { who }),
  ];
}
