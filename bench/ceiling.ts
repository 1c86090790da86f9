import { type Bench, type BenchContext, count, repeat } from "./bench.ts";
import { type Figure, figure } from "./figures.ts";
import type { Awaited } from "./load_await.ts";
import type { AckedSends } from "./load_sends.ts";
import { metered } from "./meter.ts";
import { Program } from "./program.ts";
import { noTokens } from "./stages.ts";

/** Events in one frame: many, so that pushing them costs the server little. */
const PER_FRAME = 64;

/**
 * What the load generator can do at most: it takes events, and sends and gets answers, at a server
 * that does nothing but that.
 */
export const ceiling: Bench = async (context) => [
  ...await takingEvents(context),
  ...await sending(context),
];

async function takingEvents(context: BenchContext): Promise<Figure[]> {
  const { pins, pick } = context;
  const sockets = pick(1000, 1000, 8);
  const frames = pick(100, 20, 1);
  await using server = new Program("raw_server", pins.server);
  await using load = new Program("load", pins.load);
  const { port } = await server.ask<{ port: number }>({ listen: true });
  const tokens = noTokens(sockets);
  await load.ask({ do: "receive", dialect: "ws", port, room: "", tokens });
  const job = { do: "await", messages: frames * PER_FRAME };
  const runs = await repeat(
    context,
    "load generator alone, events",
    () =>
      metered(pins, server, load, async () => {
        // Or what is pushed comes before it is counted.
        await load.ask({ do: "watch" });
        const [result] = await Promise.all([
          load.ask<Awaited>(job),
          server.ask({ frames, perFrame: PER_FRAME }),
        ]);
        return result;
      }),
  );
  const rates = runs.map(({ result }) => result.delivered * 1000 / result.ms);
  const name = `the load generator alone, ${count(sockets)} sockets: deliveries`;
  return [figure(name, "/s", rates, { used: runs.map(({ used }) => used) })];
}

async function sending(context: BenchContext): Promise<Figure[]> {
  const { pins, pick } = context;
  const senders = pick(256, 256, 4);
  await using server = new Program("raw_server", pins.server);
  await using load = new Program("load", pins.load);
  const { port } = await server.ask<{ port: number }>({ listen: true });
  await load.ask({ do: "connect", port, tokens: noTokens(senders) });
  const rooms = Array.from({ length: senders }, () => "room");
  const job = { do: "sends", rooms, ms: pick(2000, 500, 50) };
  const runs = await repeat(
    context,
    "load generator alone, sends",
    () => metered(pins, server, load, () => load.ask<AckedSends>(job)),
  );
  const name = `the load generator alone, ${count(senders)} senders`;
  const used = runs.map((run) => run.used);
  return [figure(name, "messages/s", runs.map(({ result }) => result.perSecond), { used })];
}
