/**
 * Measures Confab: `deno task bench [names…] [--quick] [--json FILE]`. Without names, everything.
 * What each figure means, and those last measured, is in docs/performance.md.
 */
import type { Bench } from "./bench.ts";
import { coldStart } from "./cold_start.ts";
import { durable } from "./durable.ts";
import { edgeCost } from "./edge_cost.ts";
import { fanOut } from "./fan_out.ts";
import type { Figure } from "./figures.ts";
import { idle } from "./idle.ts";
import { describeMachine } from "./machine.ts";
import { choosePins } from "./pins.ts";
import { openScene, POSTGRES } from "./scene.ts";
import { tableOf } from "./table.ts";

const BENCHES: Record<string, Bench> = {
  "fan-out": fanOut,
  durable,
  idle,
  "cold-start": coldStart,
  "edge-cost": edgeCost,
};

interface Options {
  names: string[];
  quick: boolean;
  json: string | undefined;
}

/** Throws a sentence for people when an argument is not known. */
function readOptions(args: string[]): Options {
  const options: Options = { names: [], quick: false, json: undefined };
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--quick") options.quick = true;
    else if (arg === "--json" && rest.length > 0) options.json = rest.shift();
    else if (Object.hasOwn(BENCHES, arg)) options.names.push(arg);
    else throw new Error(`Not known: "${arg}". Names: ${Object.keys(BENCHES).join(", ")}`);
  }
  if (options.names.length === 0) options.names = Object.keys(BENCHES);
  return options;
}

async function main({ names, quick, json }: Options): Promise<void> {
  // deno-lint-ignore no-console -- the figures are for people to read
  const say = console.log;
  // deno-lint-ignore no-console -- so that standard output holds the figures alone
  const log = (line: string) => console.error(line);
  const machine = await describeMachine();
  const pins = await choosePins();
  const command = `deno task bench ${Deno.args.join(" ")}`.trim();
  const { cpu, cores, memoryGiB, kernel, deno, date, load } = machine;
  say(`Command   ${command}`);
  say(`Machine   ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${kernel}`);
  say(`Runtime   Deno ${deno}, ${date}, load before the run ${load}`);
  say(`Pinning   ${pins.said}`);
  const figures: Figure[] = [];
  {
    await using scene = await openScene(pins, log);
    const [{ version, fsync }] = await scene.db.query<{ version: string; fsync: string }>(
      "select current_setting('server_version') as version, current_setting('fsync') as fsync",
    ) as [{ version: string; fsync: string }];
    const settings = Object.entries(POSTGRES).map(([name, value]) => `${name}=${value}`).join(" ");
    say(`Postgres  ${version}, embedded, fsync=${fsync} synchronous_commit=on ${settings}`);
    for (const name of names) {
      log(`${name}…`);
      figures.push(...await BENCHES[name]!({ scene, pins, quick, log }));
    }
  }
  say(`\n${tableOf(figures)}`);
  if (json !== undefined) {
    const result = { command, machine, pinning: pins.said, quick, figures };
    await Deno.writeTextFile(json, `${JSON.stringify(result, null, 2)}\n`);
  }
}

if (import.meta.main) {
  let options;
  try {
    options = readOptions(Deno.args);
  } catch (error) {
    // deno-lint-ignore no-console -- how it is to be used
    console.error((error as Error).message);
    Deno.exit(2);
  }
  await main(options);
}
