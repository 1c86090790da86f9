import { freePort } from "../testing/mosquitto.ts";
import { type Bench, type BenchContext, count } from "./bench.ts";
import { type Figure, figure } from "./figures.ts";
import type { Flooded } from "./load_flood.ts";
import type { LoadDevice, MqttSends } from "./load_mqtt.ts";
import type { Paced } from "./load_pace.ts";
import { startBridgeBroker } from "./mosquitto.ts";
import { bridgeEnvironment, devicesIn, leaveOut } from "./mqtt_stage.ts";
import { Program } from "./program.ts";
import { openStage, tokensOf } from "./stages.ts";

const SENDERS = 8;
const MESSAGES_PER_SECOND = 100;
const DEVICE_PER_SECOND = 20;
const FLOODS = [{ of: "readings", perSecond: 3000 }, { of: "sends", perSecond: 1000 }] as const;
type Kind = typeof FLOODS[number];

/** What the others notice in one stretch of time. */
interface Noticed {
  people: Paced;
  device: MqttSends;
}

interface Run {
  quiet: Noticed;
  /** From the beginning of the flood on. */
  first: Noticed;
  /** As long, right after that. */
  later: Noticed;
  flood: Flooded;
}

/** Programs that load one server. */
interface Parties {
  people: Program;
  device: Program;
  flooder: Program;
  room: string;
  brokerPort: number;
}

/**
 * What people, and another device, notice of a device that publishes far beyond its quotas, in one
 * process with the bridge, with both brokers as they are shipped.
 */
export const flood: Bench = async (context) => {
  const embedded = freePort();
  const figures = await flooded(context, "embedded broker", embedded, { MQTT_PORT: `${embedded}` });
  if (await leaveOut(context, "A flood with Mosquitto")) return figures;
  await using broker = await startBridgeBroker(context.pins.services, true);
  const mosquitto = { port: broker.port, env: bridgeEnvironment(broker) };
  return [
    ...figures,
    ...await flooded(context, "Mosquitto as shipped", mosquitto.port, mosquitto.env),
  ];
};

async function flooded(
  context: BenchContext,
  how: string,
  brokerPort: number,
  env: Record<string, string>,
): Promise<Figure[]> {
  const { scene, pins, pick, runs, log } = context;
  const members = pick(50, 50, 4);
  const people = await scene.people(members);
  const tokens = tokensOf(people);
  const rooms = await scene.rooms([people, people.slice(0, 1), people.slice(0, 1)]);
  const [room, quietRoom, noisyRoom] = [rooms[0]!, rooms[1]!, rooms[2]!];
  // Those that publish readings are in the room with the people.
  const roomsOf = FLOODS.flatMap(({ of }) =>
    Array.from({ length: runs }, () => of === "readings" ? room : noisyRoom)
  );
  const [other, ...flooders] = await devicesIn(context, [quietRoom, ...roomsOf]);
  await using stage = await openStage(context, env);
  const { load, port } = stage;
  await load.ask({ do: "receive", dialect: "confab", port, room, tokens });
  await load.ask({ do: "connect", port, tokens: tokens.slice(0, Math.min(SENDERS, members)) });
  // Of their own: a load generator does one thing at a time.
  await using device = new Program("load", pins.load);
  await using flooder = new Program("load", pins.load);
  await device.ask({ do: "devices", port: brokerPort, devices: [other!], to: "receipts" });
  const parties: Parties = { people: load, device, flooder, room, brokerPort };
  await notice(context, parties); // warms everything up
  const figures: Figure[] = [];
  for (const kind of FLOODS) {
    const seen: Run[] = [];
    for (let run = 0; run < runs; run++) {
      log(`  flood of ${kind.of}, ${how}, run ${run + 1}`);
      seen.push(await once(context, parties, kind, flooders.shift()!));
    }
    figures.push(...floodFigures(`${how}, ${count(kind.perSecond)} ${kind.of}/s`, seen));
  }
  return figures;
}

async function notice(
  { pick }: BenchContext,
  { people, device, room }: Parties,
): Promise<Noticed> {
  const ms = pick(3000, 2000, 300);
  const [seen, sent] = await Promise.all([
    people.ask<Paced>({ do: "pace", room, perSecond: MESSAGES_PER_SECOND, ms }),
    device.ask<MqttSends>({ do: "mqtt-pace", perSecond: DEVICE_PER_SECOND, ms }),
  ]);
  return { people: seen, device: sent };
}

async function once(
  context: BenchContext,
  parties: Parties,
  kind: Kind,
  device: LoadDevice,
): Promise<Run> {
  const quiet = await notice(context, parties);
  const job = { do: "flood", port: parties.brokerPort, device, ...kind };
  const flooding = parties.flooder.ask<Flooded>({ ...job, ms: context.pick(8000, 6000, 900) });
  const first = await notice(context, parties);
  const later = await notice(context, parties);
  return { quiet, first, later, flood: await flooding };
}

function floodFigures(what: string, runs: Run[]): Figure[] {
  const of = (value: (run: Run) => number) => runs.map(value);
  const cut = runs.flatMap(({ flood }) => flood.cutAfterMs ?? []);
  const all = ({ quiet, first, later }: Run) => [quiet, first, later];
  const figures = [
    figure(
      `${what}: the flooder publishes`,
      "/s",
      of(({ flood }) => flood.publishes * 1000 / flood.ms),
    ),
    ...(cut.length === 0 ? [] : [figure(`${what}: until it is cut off`, "ms", cut)]),
    figure(
      `${what}: missing or repeated`,
      "",
      of((run) =>
        all(run).reduce((sum, { people, device }) => sum + people.wrong + device.wrong, 0)
      ),
      {
        goal: { atMost: 0 },
      },
    ),
  ];
  for (const who of ["people", "device"] as const) {
    const name = who === "people" ? "send → delivered p99" : "another device's receipt p99";
    for (const when of ["quiet", "first", "later"] as const) {
      figures.push(
        figure(`${what}, ${WHEN[when]}: ${name}`, "ms", of((run) => run[when][who].p99Ms)),
      );
    }
    const ratio = of((run) => run.later[who].p99Ms / run.quiet[who].p99Ms);
    figures.push(
      figure(`${what}: ${name}, then to before`, "times", ratio, { goal: { atMost: 2 } }),
    );
  }
  return figures;
}

const WHEN = { quiet: "before", first: "at first", later: "then" } as const;
