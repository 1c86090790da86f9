import type { Bench } from "./bench.ts";
import { figure } from "./figures.ts";
import { Program } from "./program.ts";

const SOCKETS = 2000;
const SETTLE_MS = 2000;

/**
 * Memory of a socket that is signed in, in one room with all the others, and quiet. Of the first
 * sockets a part is what the process grows to once (V8 gives its young generation up to 48 MiB when
 * much happens at a time), so the goal is about those that come after them.
 */
export const idle: Bench = async ({ scene, pins, quick, log }) => {
  const people = await scene.people(2 * SOCKETS);
  const room = await scene.room(people);
  const tokens = people.map(({ token }) => token);
  const first: number[] = [];
  const next: number[] = [];
  for (let run = 0; run < (quick ? 1 : 5); run++) {
    log(`  ${SOCKETS} idle sockets, run ${run + 1}`);
    await using server = new Program("server", pins.server);
    await using load = new Program("load", pins.load);
    const { url } = await server.ask<{ url: string }>({ env: scene.env });
    const port = Number(new URL(url).port);
    for (const [values, begin] of [[first, 0], [next, SOCKETS]] as const) {
      const before = await server.memoryKiB();
      await load.ask({ do: "receive", port, room, tokens: tokens.slice(begin, begin + SOCKETS) });
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      values.push((await server.memoryKiB() - before) / SOCKETS);
    }
  }
  const name = `${SOCKETS.toLocaleString("en-US")} idle sockets in a room`;
  return [
    figure(`each of the first ${name}`, "KiB RSS", first),
    figure(`each of ${SOCKETS.toLocaleString("en-US")} more`, "KiB RSS", next, { atMost: 22 }),
  ];
};
