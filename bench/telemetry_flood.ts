/**
 * What people in a room notice when a device of that room floods it with readings, far beyond its
 * quota: from send to delivery, at rest and meanwhile, in one process with the bridge.
 * `deno run -A bench/telemetry_flood.ts [publishes/s] [seconds] [QoS]`, 3,000, 6 and 1 by default.
 */
import { startBridgeBroker } from "./mosquitto.ts";
import type { Paced } from "./load_pace.ts";
import { choosePins } from "./pins.ts";
import { cpuMs } from "./process.ts";
import { openScene } from "./scene.ts";
import { openStage, tokensOf } from "./stages.ts";
import { connectReader } from "./telemetry_device.ts";

const PEOPLE = 50;
const SENDERS = 8;
const MESSAGES_PER_SECOND = 100;
const TICK_MS = 5;
const PAYLOAD = JSON.stringify({ temp: 21.5, door: "closed", pump: true });

const [perSecond = 3000, seconds = 6, qos = 1] = Deno.args.map(Number);

// deno-lint-ignore no-console -- what the program is for
const say = (line: string) => console.log(line);

const pins = await choosePins();
say(pins.said);
await using scene = await openScene(pins, () => {});
const people = await scene.people(PEOPLE);
const room = await scene.room(people);
const [device] = await scene.devices([room]);
await using broker = await startBridgeBroker(pins.services, false);
await using stage = await openStage({ scene, pins }, {
  MQTT_URL: `mqtt://127.0.0.1:${broker.port}`,
  MQTT_USERNAME: broker.credentials.username,
  MQTT_PASSWORD: broker.credentials.password,
});
const { server, load, port } = stage;
const tokens = tokensOf(people);
await load.ask({ do: "receive", dialect: "confab", port, room, tokens });
await load.ask({ do: "connect", port, tokens: tokens.slice(0, SENDERS) });
const flooding = await connectReader(broker.port, device!.id, device!.password, room);
const job = { do: "pace", room, perSecond: MESSAGES_PER_SECOND, ms: seconds * 1000 };

async function measured(what: string): Promise<void> {
  const [cpu, begin] = [await cpuMs(server), performance.now()];
  const { p50Ms, p99Ms, wrong } = await load.ask<Paced>(job);
  const busy = (await cpuMs(server) - cpu) * 100 / (performance.now() - begin);
  say(
    `${what.padEnd(8)} p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, ${wrong} wrong, ` +
      `server ${busy.toFixed(0)} % of a core`,
  );
}

await load.ask(job); // warms everything up
await measured("at rest");
let over = false;
let published = 0;
const flood = (async () => {
  const start = performance.now();
  while (!over) {
    const due = (performance.now() - start) * perSecond / 1000;
    for (; published < due; published++) flooding.publish(PAYLOAD, qos === 0 ? 0 : 1);
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await flooding.written();
  return published * 1000 / (performance.now() - start);
})();
await measured("flooded");
over = true;
say(`the device published ${Math.round(await flood).toLocaleString("en-US")} times a second`);
await measured("after");
const [row] = await scene.db.query<{ stored: number; dropped: number }>(
  `select (select sum(count)::int from telemetry_latest) as stored,
     (select sum(dropped)::int from telemetry_drops) as dropped`,
);
say(`${row!.stored} readings stored, ${row!.dropped} dropped`);
flooding.close();
