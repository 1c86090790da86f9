import type { Bench } from "./bench.ts";
import { type Figure, figure } from "./figures.ts";
import type { Paced } from "./load_pace.ts";
import type { SentReadings } from "./load_readings.ts";
import { startBridgeBroker } from "./mosquitto.ts";
import { bridgeEnvironment, devicesIn, leaveOut } from "./mqtt_stage.ts";
import { Program } from "./program.ts";
import { readingsSince, readingTotals } from "./reading_totals.ts";
import { openStage, tokensOf } from "./stages.ts";

const SENDERS = 8;
const MESSAGES_PER_SECOND = 100;
/** In each publish of the device. */
const READINGS = 3;
/** The flood begins so long before the measurement, and lasts as much longer. */
const MARGIN_MS = 500;

interface Run {
  atRest: Paced;
  flooded: Paced;
  publishesPerSecond: number;
  dropped: number;
}

/**
 * What people in a room notice of a device in it that publishes readings far beyond its quota, in
 * one process with the bridge.
 */
export const flood: Bench = async (context) => {
  if (await leaveOut(context, "A flood")) return [];
  const { scene, pins, pick, runs, log } = context;
  const [members, perSecond, ms] = pick([50, 3000, 3000], [50, 3000, 2000], [4, 200, 300]);
  const people = await scene.people(members);
  const tokens = tokensOf(people);
  const room = await scene.room(people);
  const devices = await devicesIn(context, [room]);
  await using broker = await startBridgeBroker(pins.services, false);
  await using stage = await openStage(context, bridgeEnvironment(broker));
  const { load, port } = stage;
  await load.ask({ do: "receive", dialect: "confab", port, room, tokens });
  await load.ask({ do: "connect", port, tokens: tokens.slice(0, Math.min(SENDERS, members)) });
  // Of its own: a load generator does one thing at a time.
  await using device = new Program("load", pins.load);
  await device.ask({ do: "devices", port: broker.port, devices, to: "receipts" });
  const pace = { do: "pace", room, perSecond: MESSAGES_PER_SECOND, ms };
  const readings = { do: "readings", perSecond, readings: READINGS, ms: ms + 2 * MARGIN_MS };
  await load.ask(pace); // warms everything up
  const what = `${members} people, ${MESSAGES_PER_SECOND} messages/s`;
  const seen: Run[] = [];
  for (let run = 0; run < runs; run++) {
    log(`  flood, run ${run + 1}`);
    const before = await readingTotals(scene, [room]);
    const atRest = await load.ask<Paced>(pace);
    const flooding = device.ask<SentReadings>(readings);
    await new Promise((resolve) => setTimeout(resolve, MARGIN_MS));
    const flooded = await load.ask<Paced>(pace);
    const sent = await flooding;
    const { dropped } = await readingsSince(scene, [room], { before, readings: sent.readings });
    const publishesPerSecond = sent.publishes * 1000 / sent.ms;
    seen.push({ atRest, flooded, publishesPerSecond, dropped: dropped * 100 / sent.readings });
  }
  return floodFigures(what, seen);
};

function floodFigures(what: string, runs: Run[]): Figure[] {
  const of = (value: (run: Run) => number) => runs.map(value);
  return [
    figure("the device: publishes", "/s", of((run) => run.publishesPerSecond)),
    figure("the device: readings dropped", "%", of((run) => run.dropped)),
    figure(`${what}, at rest: send → delivered p99`, "ms", of((run) => run.atRest.p99Ms)),
    figure(`${what}, flooded: send → delivered p99`, "ms", of((run) => run.flooded.p99Ms)),
    figure(
      `${what}: p99 flooded to at rest`,
      "times",
      of((run) => run.flooded.p99Ms / run.atRest.p99Ms),
      { goal: { atMost: 2 } },
    ),
    figure(`${what}: missing or repeated`, "", of((run) => run.atRest.wrong + run.flooded.wrong), {
      goal: { atMost: 0 },
    }),
  ];
}
