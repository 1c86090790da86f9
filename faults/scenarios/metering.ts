import { Meter } from "../clients/meter.ts";
import { lookAtMeters, readMetrics } from "../metering_looks.ts";
import type { Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";

/** A silence of 10 s is told of 25 s later at most; a return, when it is written, every 15 s. */
const SILENT_MS = 10_000 + 25_000 + 2000;
const BACK_MS = 25_000;
const LOOK_MS = 5000;

/** Answers of the database get lost while a bridge stores readings, and then it is away. */
export const readingsStored: Scenario = {
  name: "readings-stored",
  what: "The database's answers to readings are lost again and again, then it is away for 6 s",
  nodes: 1,
  bridges: 1,
  least: {
    ...{ acks: {}, deliveries: 0 },
    metering: { readings: 100, told: 0, lateWills: 0, looks: 0 },
  },
  async play(stage) {
    const meter = await meterOf(stage, "meter");
    const link = stage.link("bridge1", "postgres");
    for (let round = 1; round <= 4; round++) {
      await measureFor(stage, meter, 1000);
      link.halfOpen("there");
      await measureFor(stage, meter, 1500);
      link.drop();
      link.heal();
    }
    // Longer than a bridge's lease (4 s)
    link.blackHole();
    await measureFor(stage, meter, 6000);
    link.drop();
    link.heal();
    await measureFor(stage, meter, 500);
    await stage.pause(1500);
    await readMetrics(stage.looking, stage.recorder.metering.metrics);
  },
};

/** The broker brings the last will of a connection after the device has come back. */
export const lateWill: Scenario = {
  name: "late-will",
  env: { PRESENCE_LEASE_SECONDS: "3" },
  what: "A device comes back, and then the last will of its older connection arrives",
  nodes: 1,
  bridges: 1,
  least: {
    ...{ acks: {}, deliveries: 0 },
    metering: { readings: 0, told: 0, lateWills: 1, looks: 2 },
  },
  async play(stage) {
    const meter = await meterOf(stage, "meter");
    meter.cut();
    await stage.until("it is back", () => meter.record.births.length === 2 && meter.connected);
    meter.lateWill();
    await stage.until("the will is at the broker", () => meter.record.lateWills.length === 1);
    // So long a bridge may take to show it, if it counted.
    await stage.pause(4000);
    await lookAtMeters(stage.looking, [meter], stage.world.now() + LOOK_MS);
  },
};

/** Of two devices that should be heard every ten seconds one falls silent for a while. */
export const silentDevice: Scenario = {
  name: "silent-device",
  what: "A device goes without a word, and comes back when its room has been told",
  nodes: 1,
  bridges: 1,
  least: {
    ...{ acks: {}, deliveries: 2 },
    metering: { readings: 100, told: 0, lateWills: 0, looks: 0 },
  },
  async play(stage) {
    const [steady, sleeper] = [await meterOf(stage, "steady"), await meterOf(stage, "sleeper")];
    const reader = stage.socket(await stage.member("bob"));
    for (const meter of [steady, sleeper]) await stage.expect(meter, 10);
    const talking = new AbortController();
    const beating = (async () => {
      for (let beat = 1; !talking.signal.aborted && !stage.signal.aborted; beat++) {
        for (const meter of [steady, sleeper]) {
          if (meter.connected) meter.measure(stage.room, { beat });
        }
        await stage.pause(300);
      }
    })();
    await stage.pause(1000);
    sleeper.sleep();
    const told = (count: number) => () => alertsOf(stage, sleeper) >= count;
    await stage.reached(told(1), SILENT_MS);
    sleeper.record.awaited.silent++;
    // A round and more of whoever looks for silent devices
    await stage.pause(6000);
    sleeper.wake();
    await stage.reached(told(2), BACK_MS);
    sleeper.record.awaited.back++;
    for (const meter of [steady, sleeper]) await stage.expect(meter, null);
    talking.abort();
    await beating;
    await readMetrics(stage.looking, stage.recorder.metering.metrics);
    await stage.caughtUp(reader);
  },
};

async function meterOf(stage: Stage, name: string): Promise<Meter> {
  const access = await stage.provision(name);
  const { recorder, signal, random, room } = stage;
  const meter = new Meter({ name, access, rooms: [room], recorder, signal, random });
  stage.adopt(meter);
  await stage.until(`${name} is connected`, () => meter.connected);
  return meter;
}

async function measureFor(stage: Stage, meter: Meter, ms: number): Promise<void> {
  const end = stage.world.now() + ms;
  while (stage.world.now() < end) {
    meter.measure(stage.room, { temp: meter.record.heard.length });
    await stage.pause(50);
  }
}

function alertsOf({ recorder }: Stage, { principal }: Meter): number {
  const seqs = recorder.deliveries.flatMap(({ entries }) => entries).flatMap(({ entry }) =>
    entry.event.type === "device.alert" && entry.event.device.id === principal ? [entry.seq] : []
  );
  return new Set(seqs).size;
}
