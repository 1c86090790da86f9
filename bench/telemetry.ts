/**
 * Readings that one bridge takes from Mosquitto, end to end: from devices at a fixed rate to what is
 * in the database, with the memory of the process.
 * `deno run -A bench/telemetry.ts [readings/s] [readings in a publish] [seconds] [QoS]`,
 * 20,000, 10, 15 and 1 by default. Every device sends 50 readings a second, of ten metrics.
 */
import { until } from "../testing/until.ts";
import { inParallel } from "./in_parallel.ts";
import { startBridgeBroker } from "./mosquitto.ts";
import { choosePins } from "./pins.ts";
import { cpuMs, forgetPeak, memoryKiB } from "./process.ts";
import { Program } from "./program.ts";
import { openScene, type Scene } from "./scene.ts";
import { connectReader, type ReadingDevice } from "./telemetry_device.ts";

const PER_DEVICE = 50;
const DEVICES_PER_ROOM = 10;
const METRICS = 10;
const TICK_MS = 10;

const [perSecond = 20_000, perPublish = 10, seconds = 15, qos = 1] = Deno.args.map(Number);

// deno-lint-ignore no-console -- what the program is for
const say = (line: string) => console.log(line);
const whole = (number: number) => Math.round(number).toLocaleString("en-US");

type Sender = ReadingDevice & { sent: number };

function publish(device: Sender): void {
  const readings: [string, number][] = [];
  for (let i = 0; i < perPublish; i++) {
    readings.push([`metric${(device.sent + i) % METRICS}`, device.sent + i]);
  }
  const payload = perPublish <= METRICS
    ? Object.fromEntries(readings)
    : { readings: readings.map(([metric, value]) => ({ metric, value })) };
  device.sent += perPublish;
  device.publish(JSON.stringify(payload), qos === 0 ? 0 : 1);
}

/** All devices in turn, at the rate; answers with the milliseconds it took. */
async function send(devices: Sender[], forMs: number): Promise<number> {
  const start = performance.now();
  const publishesPerMs = perSecond / perPublish / 1000;
  for (let next = 0, now = start; (now = performance.now()) - start < forMs;) {
    const due = (now - start) * publishesPerMs;
    for (; next < due; next++) publish(devices[next % devices.length]!);
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await Promise.all(devices.map((device) => device.written()));
  return performance.now() - start;
}

async function totals(
  { db }: Scene,
): Promise<{ stored: number; buckets: number; dropped: number }> {
  const [row] = await db.query<{ stored: number; buckets: number; dropped: number }>(
    `select (select coalesce(sum(count), 0)::bigint from telemetry_latest) as stored,
       (select coalesce(sum(count), 0)::bigint from telemetry_buckets where seconds = 10) as buckets,
       (select coalesce(sum(dropped), 0)::bigint from telemetry_drops) as dropped`,
  );
  return row!;
}

const pins = await choosePins();
say(pins.said);
await using scene = await openScene(pins, () => {});
const count = Math.max(1, Math.round(perSecond / PER_DEVICE));
const [owner] = await scene.people(1);
const rooms = await scene.rooms(
  Array.from({ length: Math.ceil(count / DEVICES_PER_ROOM) }, () => [owner!]),
);
const roomOf = (i: number) => rooms[Math.floor(i / DEVICES_PER_ROOM)]!;
const made = await scene.devices(Array.from({ length: count }, (_, i) => roomOf(i)));
await using broker = await startBridgeBroker(pins.services, false);
await using server = new Program("server", pins.server);
await server.ask({
  env: {
    ...scene.env,
    MQTT_URL: `mqtt://127.0.0.1:${broker.port}`,
    MQTT_USERNAME: broker.credentials.username,
    MQTT_PASSWORD: broker.credentials.password,
    LIMIT_TELEMETRY_PER_SECOND: String(2 * PER_DEVICE),
    LIMIT_TELEMETRY_BURST: "1000",
  },
});
const devices: Sender[] = [];
await inParallel(16, made, async ({ id, password }, i) => {
  const device = await connectReader(broker.port, id, password, roomOf(i));
  devices[i] = Object.assign(device, { sent: 0 });
});
say(
  `${whole(count)} devices, ${whole(perSecond)} readings/s in publishes of ${perPublish}, ` +
    `QoS ${qos}, ${seconds} s, Mosquitto with its default persistence`,
);
await send(devices, 2000); // warms everything up
await until("the warm-up is stored", async () => {
  const { stored, dropped } = await totals(scene);
  return stored + dropped >= devices.reduce((sum, { sent }) => sum + sent, 0);
}, 60_000).catch(() => {});
const before = { sent: devices.reduce((sum, { sent }) => sum + sent, 0), ...await totals(scene) };
const rss = await memoryKiB(server);
const cpu = await cpuMs(server);
await forgetPeak(server);
const ms = await send(devices, seconds * 1000);
const sent = devices.reduce((sum, device) => sum + device.sent, 0) - before.sent;
const sentAt = performance.now();
let after = await totals(scene);
for (let last = -1; after.stored !== last && after.stored - before.stored < sent;) {
  last = after.stored;
  await new Promise((resolve) => setTimeout(resolve, 2500));
  after = await totals(scene);
}
const [stored, dropped] = [after.stored - before.stored, after.dropped - before.dropped];
const used = await cpuMs(server) - cpu;
say(`sent     ${whole(sent * 1000 / ms)} readings/s`);
say(
  `stored   ${whole(stored)} of ${whole(sent)} readings, ${
    whole(dropped)
  } dropped; the last at most ` +
    `${((performance.now() - sentAt) / 1000).toFixed(1)} s after it was sent`,
);
say(`series   ${whole(after.buckets - before.buckets)} readings in buckets of ten seconds`);
say(
  `server   ${whole(used)} ms of CPU in ${whole(ms)} ms, ${
    (used * 1000 / sent).toFixed(1)
  } µs a reading`,
);
say(
  `memory   ${whole(rss / 1024)} MiB before, ${
    whole(await memoryKiB(server, "VmHWM") / 1024)
  } MiB at ` +
    `most, ${whole(await memoryKiB(server) / 1024)} MiB after`,
);
for (const device of devices) device.close();
