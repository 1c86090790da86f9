import { newId } from "../lib/ids.ts";
import { brokerClients } from "../mqtt-bridge/broker_clients.ts";
import { dynsecFile } from "../mqtt-bridge/mosquitto/dynsec.ts";
import type { DynamicSecurity } from "../mqtt-bridge/provisioning.ts";
import { passwordOf, withDynamicSecurity } from "../testing/mqtt_broker.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { until } from "../testing/until.ts";
import { type Bench, type BenchContext, count, repeat } from "./bench.ts";
import { CredentialTable } from "./credential_table.ts";
import { type Figure, figure } from "./figures.ts";
import { Latencies } from "./latencies.ts";
import { type BridgeBroker, startBridgeBroker } from "./mosquitto.ts";
import { leaveOut } from "./mqtt_stage.ts";

const MAKING_MS = 600_000;
/** More than so many devices are made once, however often the rest is measured: it takes a minute. */
const MANY = 1000;
/** Rotations while everything is made, spread over it. */
const ROTATIONS = 5;

/** Times in milliseconds. */
interface Run {
  fromNothing: number;
  /** Of credentials that the broker has, while the others are made. */
  rotations: number[];
  compare: number;
  rotateOne: number;
  /** Making the plugin's file with everything in it, and starting a broker with it. */
  makeFile: number;
  startWithFile: number;
  /** From publish to PUBACK of somebody else, at rest and while everything is made; p99. */
  pubackAtRest: number;
  pubackMeanwhile: number;
}

/**
 * How long a Mosquitto, configured as shipped, takes to have the credentials of many devices. The
 * bridge's part runs in this process, with a table of devices in memory.
 */
export const provisioning: Bench = async (context) => {
  if (await leaveOut(context, "Provisioning")) return [];
  const figures: Figure[] = [];
  for (const devices of context.pick([1000, 5000], [500], [20])) {
    const what = `${count(devices)} devices${devices > MANY ? ", once" : ""}`;
    const times = devices > MANY ? { ...context, runs: 1 } : context;
    const runs = await repeat(times, `provisioning, ${what}`, () => measured(context, devices));
    figures.push(...provisioningFigures(what, runs));
  }
  return figures;
};

function provisioningFigures(what: string, runs: Run[]): Figure[] {
  const of = (value: (run: Run) => number) => runs.map(value);
  return [
    figure(`${what}: from nothing, by dynamic security`, "ms", of((run) => run.fromNothing)),
    figure(`${what}: a rotation meanwhile`, "ms", runs.flatMap(({ rotations }) => rotations), {
      goal: { atMost: 2000 },
    }),
    figure(
      `${what}: publish → PUBACK of another meanwhile p99`,
      "ms",
      of((run) => run.pubackMeanwhile),
    ),
    figure(`${what}: publish → PUBACK of another at rest p99`, "ms", of((run) => run.pubackAtRest)),
    figure(`${what}: comparing all, when all are right`, "ms", of((run) => run.compare)),
    figure(`${what}: a rotation`, "ms", of((run) => run.rotateOne)),
    figure(`${what}: making the plugin's file with all`, "ms", of((run) => run.makeFile)),
    figure(`${what}: starting Mosquitto with it`, "ms", of((run) => run.startWithFile)),
  ];
}

async function measured({ pins }: BenchContext, devices: number): Promise<Run> {
  await using broker = await startBridgeBroker(pins.services, true);
  const table = new CredentialTable();
  const witness = newId();
  table.put(witness, 1);
  const overDynamicSecurity = await withDynamicSecurity(bridgeOf(broker), async (dynsec) => {
    await dynsec.apply(table.all);
    await using device = await TestDevice.connect({
      url: urlOf(broker),
      username: witness,
      password: passwordOf(witness),
    });
    let published = 0;
    const atRest = await publishUntil(device, () => ++published > 200);
    for (let i = 1; i < devices; i++) table.put(newId(), 1);
    let made = false;
    const meanwhile = publishUntil(device, () => made);
    const making = await makeAll(dynsec, table);
    made = true;
    const compare = await timed(() => allRight(dynsec, table));
    const last = table.all.at(-1)!.id;
    const rotateOne = await timed(() => dynsec.apply([table.put(last, 3)]));
    return {
      ...making,
      compare,
      rotateOne,
      pubackAtRest: atRest.percentile(99),
      pubackMeanwhile: (await meanwhile).percentile(99),
    };
  });
  return { ...overDynamicSecurity, ...await withFile(pins.services, table) };
}

/** Has a roster make what the broker lacks, and rotates some of what is made already. */
async function makeAll(dynsec: DynamicSecurity, table: CredentialTable) {
  const made = new Map<string, number>();
  const rotations: number[] = [];
  const lacking = table.all.length - 1; // all but the witness
  const { roster, stop } = table.follow(dynsec, made);
  const fromNothing = await timed(async () => {
    roster.connected();
    for (let i = 1; i <= ROTATIONS; i++) {
      const enough = Math.ceil(lacking * i / (ROTATIONS + 1));
      await until(`${enough} are made`, () => made.size >= enough, MAKING_MS);
      const id = [...made.keys()][i - 1]!;
      table.put(id, 2);
      rotations.push(
        await timed(async () => {
          roster.changed(id);
          await until("it is rotated", () => made.get(id) === 2, MAKING_MS);
        }),
      );
    }
    await until("all are made", () => made.size >= lacking, MAKING_MS);
  });
  await stop();
  return { fromNothing, rotations };
}

/** The other way: a broker that starts with all of it. */
async function withFile(cores: string | undefined, table: CredentialTable) {
  const devices = table.all;
  const secretOf = ({ id, generation }: { id: string; generation: number }) =>
    Promise.resolve(passwordOf(id, generation));
  let makeFile = 0;
  const startedAt = performance.now();
  const clients = await Promise.all(devices.map((device) => brokerClients(device, secretOf)));
  await using broker = await startBridgeBroker(cores, true, (bridge) => {
    const file = dynsecFile(bridge, clients.flat());
    makeFile = performance.now() - startedAt;
    return file;
  });
  const startWithFile = performance.now() - startedAt - makeFile;
  await withDynamicSecurity(bridgeOf(broker), (dynsec) => allRight(dynsec, table));
  return { makeFile, startWithFile };
}

async function allRight(dynsec: DynamicSecurity, table: CredentialTable) {
  const wrong = await dynsec.differing(table.all);
  if (wrong.length > 0) throw new Error(`${wrong.length} credentials are wrong`);
}

/** Publishes with QoS 1, one after the other, until told to end; the time of each. */
async function publishUntil(device: TestDevice, over: () => boolean): Promise<Latencies> {
  const topic = `confab/d/${device.client.options.clientId}/status`;
  const times = new Latencies();
  while (!over()) times.add(await timed(() => device.publish(topic, "{}")));
  return times;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function urlOf({ port }: BridgeBroker): string {
  return `mqtt://127.0.0.1:${port}`;
}

function bridgeOf(broker: BridgeBroker) {
  return { url: urlOf(broker), ...broker.credentials };
}
