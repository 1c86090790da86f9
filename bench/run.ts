/**
 * Measures Confab and its peers: `deno task bench`, see `usage()`. What each figure means, and
 * those last measured, is in docs/performance.md.
 */
import type { Bench, BenchContext } from "./bench.ts";
import { ceiling } from "./ceiling.ts";
import { coldStart } from "./cold_start.ts";
import { FIGURES, renewDocuments } from "./documents.ts";
import { durable } from "./durable.ts";
import { edgeCost } from "./edge_cost.ts";
import { fanOut } from "./fan_out.ts";
import { flood } from "./flood.ts";
import { idle } from "./idle.ts";
import { describeMachine } from "./machine.ts";
import { mqttIn, mqttOut } from "./mqtt.ts";
import { type Options, readOptions } from "./options.ts";
import { overload } from "./overload.ts";
import { peerVersions } from "./peers.ts";
import { choosePins } from "./pins.ts";
import { provisioning } from "./provisioning.ts";
import { reconnect } from "./reconnect.ts";
import { renewed, type Report, reportText } from "./report.ts";
import { rooms } from "./rooms.ts";
import { openScene, POSTGRES, type Scene } from "./scene.ts";
import { takeover } from "./takeover.ts";
import { telemetry } from "./telemetry.ts";

const BENCHES: Record<string, { title: string; bench: Bench }> = {
  "ceiling": { title: "The load generator", bench: ceiling },
  "fan-out": { title: "Fan-out in one room", bench: fanOut },
  "overload": { title: "Ten times overload", bench: overload },
  "durable": { title: "Durable sends", bench: durable },
  "rooms": { title: "Many small rooms", bench: rooms },
  "idle": { title: "Idle sockets", bench: idle },
  "reconnect": { title: "Reconnect storm", bench: reconnect },
  "mqtt-in": { title: "Devices to rooms", bench: mqttIn },
  "mqtt-out": { title: "Rooms to devices", bench: mqttOut },
  "telemetry": { title: "Readings of devices", bench: telemetry },
  "flood": { title: "A device that floods", bench: flood },
  "provisioning": { title: "Credentials of devices", bench: provisioning },
  "takeover": { title: "A bridge that dies", bench: takeover },
  "cold-start": { title: "Cold start", bench: coldStart },
  "edge-cost": { title: "Cost of a message on the edge", bench: edgeCost },
};
const NAMES = Object.keys(BENCHES);

// deno-lint-ignore no-console -- so that standard output holds the figures alone
const log = (line: string) => console.error(line);

async function measure({ only, size, runs, peers }: Options): Promise<Report> {
  const begin = performance.now();
  const machine = await describeMachine();
  const pins = await choosePins();
  await using scene = await openScene(pins, log);
  const leftOut: string[] = [];
  const context: BenchContext = {
    scene,
    pins,
    runs,
    peers,
    pick: (full, quick, tiny) => ({ full, quick, tiny })[size],
    log,
    leftOut(what) {
      leftOut.push(what);
      log(`  left out: ${what}`);
    },
  };
  const sections: Report["sections"] = [];
  for (const name of NAMES.filter((name) => only.includes(name))) {
    const { title, bench } = BENCHES[name]!;
    log(`${name}…`);
    const startMs = performance.now();
    sections.push({ name, title, figures: await bench(context) });
    log(`  ${name} took ${Math.round((performance.now() - startMs) / 1000)} s`);
  }
  return {
    command: `deno task bench ${Deno.args.join(" ")}`.trim(),
    machine,
    pinning: pins.said,
    postgres: await postgresText(scene),
    peers: peers ? await peerVersions() : {},
    size,
    runs,
    leftOut,
    minutes: Math.round((performance.now() - begin) / 6000) / 10,
    sections,
  };
}

async function postgresText({ db }: Scene): Promise<string> {
  const rows = await db.query<{ version: string; fsync: string; commits: string }>(
    `select current_setting('server_version') as version, current_setting('fsync') as fsync,
       current_setting('synchronous_commit') as commits`,
  );
  const { version, fsync, commits } = rows[0]!;
  const settings = Object.entries(POSTGRES).map(([name, value]) => `${name}=${value}`).join(" ");
  return `${version}, embedded, fsync=${fsync} synchronous_commit=${commits} ${settings}`;
}

/** Writes what the documents show: what was not measured now stays. */
async function renewFigures(report: Report): Promise<void> {
  const before: Report = JSON.parse(await Deno.readTextFile(FIGURES));
  await Deno.writeTextFile(FIGURES, `${JSON.stringify(renewed(before, report, NAMES), null, 2)}\n`);
}

async function main(options: Options): Promise<void> {
  if (!options.charts) {
    const report = await measure(options);
    const text = `${JSON.stringify(report, null, 2)}\n`;
    if (options.json !== undefined) await Deno.writeTextFile(options.json, text);
    if (options.docs) await renewFigures(report);
    // deno-lint-ignore no-console -- the figures are for people to read
    console.log(reportText(report));
  }
  if (options.docs || options.charts) await renewDocuments();
}

if (import.meta.main) {
  let options;
  try {
    options = readOptions(Deno.args, NAMES);
  } catch (error) {
    log((error as Error).message);
    Deno.exit(2);
  }
  await main(options);
}
