import type { Bench } from "./bench.ts";
import { figure } from "./figures.ts";
import { Program } from "./program.ts";

const SOCKETS = 2000;
/** Sockets that are there before the first look: whatever a server loads once is loaded then. */
const BEFORE = 200;
const SETTLE_MS = 2000;

/** Memory of a socket that is signed in, in one room with all the others, and quiet. */
export const idle: Bench = async ({ scene, pins, quick, log }) => {
  const people = await scene.people(BEFORE + SOCKETS);
  const room = await scene.room(people);
  const tokens = people.map(({ token }) => token);
  const perSocket: number[] = [];
  for (let run = 0; run < (quick ? 1 : 5); run++) {
    log(`  ${SOCKETS} idle sockets, run ${run + 1}`);
    await using server = new Program("server", pins.server);
    await using load = new Program("load", pins.load);
    const { url } = await server.ask<{ url: string }>({ env: scene.env });
    const port = Number(new URL(url).port);
    await load.ask({ do: "receive", port, room, tokens: tokens.slice(0, BEFORE) });
    await settled();
    const before = await server.memoryKiB();
    await load.ask({ do: "receive", port, room, tokens: tokens.slice(BEFORE) });
    await settled();
    perSocket.push((await server.memoryKiB() - before) / SOCKETS);
  }
  return [figure(`one of ${SOCKETS} idle sockets in a room`, "KiB RSS", perSocket, { atMost: 22 })];
};

function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
}
