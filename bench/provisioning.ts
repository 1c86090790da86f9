/**
 * How long a real Mosquitto, configured as shipped, takes to have the credentials of many devices:
 * `deno run -A bench/provisioning.ts [devices] [runs]`, 5,000 and 3 by default. What it prints is in
 * mqtt-bridge/README.md.
 */
import { createLog } from "../lib/log.ts";
import { newId } from "../lib/ids.ts";
import { brokerClients } from "../mqtt-bridge/broker_clients.ts";
import { dynsecFile } from "../mqtt-bridge/mosquitto/dynsec.ts";
import type { DeviceCredential } from "../mqtt-bridge/ports.ts";
import type { DynamicSecurity } from "../mqtt-bridge/provisioning.ts";
import { Roster } from "../mqtt-bridge/roster.ts";
import { startMosquitto, type TestMosquitto } from "../testing/mosquitto.ts";
import { passwordOf, withDynamicSecurity } from "../testing/mqtt_broker.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { until } from "../testing/until.ts";
import { Latencies } from "./latencies.ts";

const HOURS_MS = 3_600_000;

/** The times of one run, in milliseconds. */
interface Run {
  fromNothing: number;
  /** A rotation in the middle of that, until the broker has it. */
  overtaking: number;
  compareRight: number;
  changeOne: number;
  /** Making the plugin's file with everything in it, and starting a broker with it. */
  makeFile: number;
  startWithFile: number;
  /** From publish to PUBACK of somebody else, at rest and while everything is made. */
  pubackAtRest: number;
  pubackMeanwhile: number;
}

/** A table of devices with a roster that keeps the broker equal to it. */
function startRoster(dynsec: DynamicSecurity, table: Map<string, DeviceCredential>) {
  const stop = new AbortController();
  const done = { ids: new Set<string>() };
  const roster = new Roster({
    store: {
      devices: () => Promise.resolve([...table.values()]),
      devicesOf: (ids) => Promise.resolve(ids.flatMap((id) => table.get(id) ?? [])),
    },
    provisioner: {
      differing: (devices) => dynsec.differing(devices),
      async apply(devices) {
        await dynsec.apply(devices);
        for (const { id } of devices) done.ids.add(id);
      },
    },
    log: createLog("warn"),
    beaconSeconds: 3600,
    signal: stop.signal,
    onChanged: () => {},
    onReturned: () => Promise.resolve(),
  });
  const running = roster.run();
  return {
    roster,
    done,
    async stop() {
      stop.abort();
      await running;
    },
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Publishes with QoS 1, one after the other, until told to end; the time of each. */
async function publishUntil(device: TestDevice, over: () => boolean): Promise<Latencies> {
  const topic = `confab/d/${device.client.options.clientId}/status`;
  const times = new Latencies();
  while (!over()) times.add(await timed(() => device.publish(topic, "{}")));
  return times;
}

async function run(count: number): Promise<Run> {
  await using broker = await startMosquitto();
  const table = new Map<string, DeviceCredential>();
  const add = (id: string, generation: number) =>
    table.set(id, { id, generation, plainGeneration: 1, disabled: false });
  const witness = newId();
  add(witness, 1);
  return await withDynamicSecurity(bridgeOf(broker), async (dynsec) => {
    await dynsec.apply([...table.values()]);
    await using device = await TestDevice.connect({
      url: broker.url,
      username: witness,
      password: passwordOf(witness),
    });
    let published = 0;
    const atRest = await publishUntil(device, () => ++published > 200);
    const ids = Array.from({ length: count - 1 }, () => newId());
    for (const id of ids) add(id, 1);
    const { roster, done, stop } = startRoster(dynsec, table);
    let made = false;
    const meanwhile = publishUntil(device, () => made);
    let overtaking = NaN;
    const fromNothing = await timed(async () => {
      roster.connected();
      await until("half are made", () => done.ids.size > count / 2, HOURS_MS);
      const last = ids.at(-1)!;
      add(last, 2);
      overtaking = await timed(async () => {
        roster.changed(last);
        await until("it overtakes", () => done.ids.has(last), HOURS_MS);
      });
      await until("all are made", () => done.ids.size >= ids.length, HOURS_MS);
    });
    made = true;
    await stop();
    const compareRight = await timed(async () => {
      const wrong = await dynsec.differing([...table.values()]);
      if (wrong.length > 0) throw new Error(`${wrong.length} credentials are wrong`);
    });
    const one = { ...table.get(ids[0]!)!, generation: 2 };
    const changeOne = await timed(() => dynsec.apply([one]));
    const { makeFile, startWithFile } = await withFile(broker, [...table.values()]);
    return {
      makeFile,
      startWithFile,
      fromNothing,
      overtaking,
      compareRight,
      changeOne,
      pubackAtRest: atRest.percentile(99),
      pubackMeanwhile: (await meanwhile).percentile(99),
    };
  });
}

/** The other way: the broker starts with all of it. */
async function withFile(broker: TestMosquitto, devices: DeviceCredential[]) {
  let file = "";
  const makeFile = await timed(async () => {
    const secretOf = ({ id, generation }: { id: string; generation: number }) =>
      Promise.resolve(passwordOf(id, generation));
    const clients = await Promise.all(devices.map((device) => brokerClients(device, secretOf)));
    file = dynsecFile(broker.bridge, clients.flat());
  });
  const startWithFile = await timed(() => broker.startAnew(file));
  await withDynamicSecurity(bridgeOf(broker), async (dynsec) => {
    const wrong = await dynsec.differing(devices);
    if (wrong.length > 0) throw new Error(`${wrong.length} credentials of the file are wrong`);
  });
  return { makeFile, startWithFile };
}

function bridgeOf(broker: TestMosquitto) {
  return { url: broker.url, ...broker.bridge };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

if (import.meta.main) {
  const [count = 5000, runs = 3] = Deno.args.map(Number);
  const all: Run[] = [];
  for (let i = 0; i < runs; i++) all.push(await run(count));
  const line = (what: string, key: keyof Run) => {
    const values = all.map((one) => one[key]);
    const shown = values.map((ms) => ms.toFixed(0)).join(", ");
    // deno-lint-ignore no-console -- the figures are for people to read
    console.log(`${what}: ${median(values).toFixed(0)} ms (${shown})`);
  };
  line(`${count} credentials from nothing`, "fromNothing");
  line("a rotation in the middle of it", "overtaking");
  line(`comparing ${count} that are right`, "compareRight");
  line(`rotating one of ${count}`, "changeOne");
  line(`making a file with ${count}`, "makeFile");
  line("starting Mosquitto with it", "startWithFile");
  line("PUBACK of another device, p99, at rest", "pubackAtRest");
  line("PUBACK of another device, p99, meanwhile", "pubackMeanwhile");
}
