/**
 * `deno task demo [--seed=18] [--data=DIR]`: a simulated plant. Starts a Confab as `deno task dev`
 * does, with its data in `.data/demo`, two people, and thirty devices that speak MQTT to it like any others. Ends
 * at Ctrl-C.
 */
import { Confab } from "./confab.ts";
import { PlantScene } from "./scene.ts";

const DATA_DIR = new URL("../.data/demo", import.meta.url).pathname;

// deno-lint-ignore no-console -- the output of a command
const say = (line: string) => console.log(line);

/** The value of `--name=value`. */
function option(name: string): string | undefined {
  return Deno.args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
}

/** Resolves at the first SIGINT or SIGTERM. */
function untilAsked(): Promise<void> {
  return new Promise((resolve) => {
    Deno.addSignalListener("SIGINT", resolve);
    if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", resolve);
  });
}

function greet(confab: Confab, { people, room }: PlantScene): void {
  say(`\nThe plant runs: thirty devices in the room "Plant". Ctrl-C stops it.\n`);
  say(`  Open          ${confab.url}/#/rooms/${room}`);
  for (const { username, password } of Object.values(people)) {
    say(`  Log in as     ${username} with the password ${password}`);
  }
  say("\n  Open a device from the members, or write:  /cmd Pump 1 start speed=3\n");
}

async function main(asked: Promise<void>): Promise<void> {
  const seed = Number(option("seed") ?? 18);
  const confab = await Confab.start({ dataDir: option("data") ?? DATA_DIR, say });
  let scene: PlantScene | undefined;
  try {
    scene = await PlantScene.start(confab, seed);
    greet(confab, scene);
    const died = confab.ended.then((code) => {
      throw new Error(`Confab has ended with code ${code}`);
    });
    died.catch(() => {});
    await Promise.race([asked, died, scene.failure]);
  } finally {
    await scene?.stop();
    await confab.stop();
  }
}

if (import.meta.main) {
  const asked = untilAsked();
  let leaving = false;
  void asked.then(() => leaving = true);
  try {
    await main(asked);
  } catch (error) {
    // Ctrl-C reaches Confab too, and what was just being asked of it fails.
    if (!leaving) {
      // deno-lint-ignore no-console -- the reason why it ends
      console.error(error);
      Deno.exit(1);
    }
  }
  Deno.exit(0);
}
