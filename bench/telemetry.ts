import { type Bench, type BenchContext, count } from "./bench.ts";
import { type Figure, figure } from "./figures.ts";
import type { SentReadings } from "./load_readings.ts";
import { metered, type Used } from "./meter.ts";
import { startBridgeBroker } from "./mosquitto.ts";
import { bridgeEnvironment, devicesIn, leaveOut } from "./mqtt_stage.ts";
import { forgetPeak, memoryKiB } from "./process.ts";
import { readingsSince, readingTotals } from "./reading_totals.ts";
import { openStage, type Stage } from "./stages.ts";

const DEVICES_PER_ROOM = 10;
const PER_DEVICE = 50;
const PER_PUBLISH = 10;
/** A bridge stores readings once a second: what is in the database so late was kept up with. */
const STORING_MS = 2000;
/** What the bridge holds of readings is bounded to some 60 MiB; the rest is the process. */
const MEMORY_MIB = 512;

interface Run {
  /** Stored for each second of sending, and of what it took longer than it may. */
  perSecond: number;
  wrong: number;
  /** From when the last was sent to when it was seen in the database. */
  storedMs: number;
  usPerReading: number;
  peakMiB: number;
  used: Used;
}

/** Readings of many devices, end to end: from publish to what is in the database. */
export const telemetry: Bench = async (context) => {
  if (await leaveOut(context, "Readings")) return [];
  const { scene, pins, pick, runs, log } = context;
  const [devices, ms] = pick([400, 6000], [400, 2000], [10, 300]);
  const [owner] = await scene.people(1);
  const rooms = await scene.rooms(
    Array.from({ length: Math.ceil(devices / DEVICES_PER_ROOM) }, () => [owner!]),
  );
  const roomOf = (_: unknown, i: number) => rooms[Math.floor(i / DEVICES_PER_ROOM)]!;
  const made = await devicesIn(context, Array.from({ length: devices }, roomOf));
  await using broker = await startBridgeBroker(pins.services, false);
  await using stage = await openStage(context, {
    ...bridgeEnvironment(broker),
    LIMIT_TELEMETRY_PER_SECOND: `${2 * PER_DEVICE}`,
    LIMIT_TELEMETRY_BURST: `${20 * PER_DEVICE}`,
  });
  await stage.load.ask({ do: "devices", port: broker.port, devices: made, to: "receipts" });
  const perSecond = devices * PER_DEVICE;
  const what = `${count(devices)} devices, ${count(perSecond)} readings/s`;
  const seen: Run[] = [];
  await measured(context, stage, { rooms, perSecond, ms: Math.min(ms, 2000) }); // warms everything up
  for (let run = 0; run < runs; run++) {
    log(`  telemetry, ${what}, run ${run + 1}`);
    seen.push(await measured(context, stage, { rooms, perSecond, ms }));
  }
  return telemetryFigures(what, perSecond, seen);
};

async function measured(
  { scene, pins }: BenchContext,
  { server, load }: Stage,
  { rooms, perSecond, ms }: { rooms: string[]; perSecond: number; ms: number },
): Promise<Run> {
  const before = await readingTotals(scene, rooms);
  await forgetPeak(server);
  const start = performance.now();
  const { result, used } = await metered(pins, server, load, async () => {
    const job = { do: "readings", perSecond: perSecond / PER_PUBLISH, readings: PER_PUBLISH, ms };
    const { readings } = await load.ask<SentReadings>(job);
    const sentAt = performance.now();
    return { readings, sentAt, ...await readingsSince(scene, rooms, { before, readings }) };
  });
  const { readings, sentAt, lastAt, stored, series } = result;
  return {
    perSecond: stored * 1000 / Math.max(ms, lastAt - start - STORING_MS),
    wrong: Math.abs(readings - stored) + Math.abs(stored - series),
    storedMs: lastAt - sentAt,
    usPerReading: used.serverMs * 1000 / readings,
    peakMiB: await memoryKiB(server, "VmHWM") / 1024,
    used,
  };
}

function telemetryFigures(what: string, goal: number, runs: Run[]): Figure[] {
  const of = (value: (run: Run) => number) => runs.map(value);
  return [
    figure(`${what}: stored`, "readings/s", of((run) => run.perSecond), {
      used: runs.map(({ used }) => used),
      goal: { atLeast: goal },
    }),
    figure(`${what}: lost, dropped or counted twice`, "", of((run) => run.wrong), {
      goal: { atMost: 0 },
    }),
    figure(`${what}: last publish → stored`, "ms", of((run) => run.storedMs)),
    figure(`${what}: server CPU per reading`, "µs", of((run) => run.usPerReading)),
    figure(`${what}: server RSS at most`, "MiB", of((run) => run.peakMiB), {
      goal: { atMost: MEMORY_MIB },
    }),
  ];
}
