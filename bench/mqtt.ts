import { type Bench, type BenchContext, count, repeat } from "./bench.ts";
import { type Figure, figure } from "./figures.ts";
import type { MqttSends } from "./load_mqtt.ts";
import type { Paced } from "./load_pace.ts";
import type { Saturated } from "./load_saturate.ts";
import { metered } from "./meter.ts";
import { startBridgeBroker } from "./mosquitto.ts";
import { bridgeEnvironment, devicesIn, leaveOut } from "./mqtt_stage.ts";
import type { Program } from "./program.ts";
import { openStage, tokensOf } from "./stages.ts";

/**
 * How the broker keeps what it has acknowledged, and what it can then be asked for: as shipped it
 * writes its file at every change, with everything that is on its way.
 */
const BROKERS = [
  { how: "default persistence", durable: false, inFlight: 64, outInFlight: 16, outPerSecond: 50 },
  { how: "as shipped", durable: true, inFlight: 1, outInFlight: 1, outPerSecond: 2 },
] as const;
type Kind = typeof BROKERS[number];

/** Devices publish, each to a room of its own; the receipt follows the commit. */
export const mqttIn: Bench = async (context) => {
  if (await leaveOut(context, "MQTT in")) return [];
  const figures: Figure[] = [];
  for (const kind of BROKERS) figures.push(...await inbound(context, kind));
  return figures;
};

async function inbound(context: BenchContext, kind: Kind): Promise<Figure[]> {
  const { durable, how, inFlight } = kind;
  const { scene, pins, pick } = context;
  const [owner] = await scene.people(1);
  const rooms = await scene.rooms(Array.from({ length: pick(64, 32, 4) }, () => [owner!]));
  const devices = await devicesIn(context, rooms);
  await using broker = await startBridgeBroker(pins.services, durable);
  await using stage = await openStage(context, bridgeEnvironment(broker));
  const { server, load } = stage;
  await load.ask({ do: "devices", port: broker.port, devices, to: "receipts" });
  const what = `in, ${count(devices.length)} devices, Mosquitto ${how}`;
  // First: a run at full speed leaves events behind that are published to the devices after it.
  const paced = durable ? [] : await pacedInbound(context, load, what);
  const ms = pick(3000, 1000, 100);
  const job = { do: "mqtt-sends", inFlight: pick<number>(inFlight, inFlight, 1), ms };
  await load.ask({ ...job, ms: Math.min(job.ms, 1000) }); // warms everything up
  const runs = await repeat(
    context,
    `MQTT ${what}`,
    () => metered(pins, server, load, () => load.ask<MqttSends>(job)),
  );
  const used = runs.map((run) => run.used);
  const of = (value: (one: MqttSends) => number) => runs.map(({ result }) => value(result));
  return [
    figure(`${what}: committed, with a receipt`, "messages/s", of((one) => one.perSecond), {
      used,
      goal: durable ? undefined : { atLeast: 10_000 },
    }),
    figure(`${what}: publish → receipt p50`, "ms", of((one) => one.p50Ms)),
    figure(`${what}: publish → receipt p99`, "ms", of((one) => one.p99Ms)),
    figure(`${what}: without a receipt`, "", of((one) => one.wrong), { goal: { atMost: 0 } }),
    ...paced,
  ];
}

/** The open loop, on a server that has done nothing else yet. */
async function pacedInbound(
  context: BenchContext,
  load: Program,
  devices: string,
): Promise<Figure[]> {
  const perSecond = context.pick(1000, 500, 50);
  const what = `${devices}, ${count(perSecond)} messages/s`;
  const job = { do: "mqtt-pace", perSecond, ms: context.pick(5000, 1000, 200) };
  await load.ask({ ...job, ms: Math.min(job.ms, 1000) }); // warms everything up
  const paced = await repeat(context, `MQTT ${what}`, () => load.ask<MqttSends>(job));
  return latencies(`${what}: publish → receipt`, { paced, p99AtMost: 50 });
}

function latencies(
  what: string,
  { paced, p99AtMost }: { paced: { p50Ms: number; p99Ms: number }[]; p99AtMost: number },
): Figure[] {
  const goal = { atMost: p99AtMost };
  return [
    figure(`${what} p50`, "ms", paced.map((one) => one.p50Ms)),
    figure(`${what} p99`, "ms", paced.map((one) => one.p99Ms), { goal }),
  ];
}

/** People send over WebSocket; every device in the room gets it with QoS 1. */
export const mqttOut: Bench = async (context) => {
  if (await leaveOut(context, "MQTT out")) return [];
  const figures: Figure[] = [];
  for (const kind of BROKERS) figures.push(...await outbound(context, kind));
  return [...figures, ...await largeRoom(context)];
};

/** One room with many devices, and people who say something now and then. */
async function largeRoom(context: BenchContext): Promise<Figure[]> {
  const { scene, pins, pick } = context;
  const people = await scene.people(8);
  const room = await scene.room(people);
  const devices = await devicesIn(context, Array.from({ length: pick(1000, 200, 4) }, () => room));
  await scene.delivered(room);
  await using broker = await startBridgeBroker(pins.services, false);
  await using stage = await openStage(context, bridgeEnvironment(broker));
  const { load, port } = stage;
  await load.ask({ do: "devices", port: broker.port, devices, to: "events" });
  await load.ask({ do: "connect", port, tokens: tokensOf(people) });
  const open = { do: "pace", room, perSecond: 10, ms: pick(5000, 1000, 500) };
  const what = `out, one room with ${count(devices.length)} devices, 10 messages/s`;
  const paced = await repeat(context, `MQTT ${what}`, () => load.ask<Paced>(open));
  return [
    ...latencies(`${what}: send → device`, { paced, p99AtMost: 500 }),
    figure(`${what}: missing or repeated`, "", paced.map(({ wrong }) => wrong), {
      goal: { atMost: 0 },
    }),
  ];
}

async function outbound(context: BenchContext, kind: Kind): Promise<Figure[]> {
  const { scene, pins, pick } = context;
  const { durable, how, outInFlight: inFlight, outPerSecond: perSecond } = kind;
  const people = await scene.people(8);
  const room = await scene.room(people);
  const devices = await devicesIn(context, Array.from({ length: pick(100, 50, 4) }, () => room));
  await using broker = await startBridgeBroker(pins.services, durable);
  await using stage = await openStage(context, bridgeEnvironment(broker));
  const { server, load, port } = stage;
  await load.ask({ do: "devices", port: broker.port, devices, to: "events" });
  await load.ask({ do: "connect", port, tokens: tokensOf(people) });
  const what = `out, one room with ${count(devices.length)} devices, Mosquitto ${how}`;
  const closed = { do: "saturate", room, inFlight, ms: pick(2000, 1000, 100) };
  await load.ask({ ...closed, ms: Math.min(closed.ms, 1000) }); // warms everything up
  const hot = await repeat(
    context,
    `MQTT ${what}, closed loop`,
    () => metered(pins, server, load, () => load.ask<Saturated>(closed)),
  );
  const open = { do: "pace", room, perSecond, ms: pick(2000, 1000, 500) };
  const paced = await repeat(context, `MQTT ${what}, open loop`, () => load.ask<Paced>(open));
  const rate = `${what}, ${perSecond} messages/s`;
  const wrong = hot.map(({ result }, i) => result.wrong + paced[i]!.wrong);
  return [
    figure(
      `${what}, closed loop: deliveries`,
      "/s",
      hot.map(({ result }) => result.delivered * 1000 / result.ms),
      { used: hot.map((run) => run.used) },
    ),
    figure(`${rate}: send → device p50`, "ms", paced.map((one) => one.p50Ms)),
    figure(`${rate}: send → device p99`, "ms", paced.map((one) => one.p99Ms)),
    figure(`${what}: missing or repeated`, "", wrong, { goal: { atMost: 0 } }),
  ];
}
