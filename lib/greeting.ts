import { deviceSecret, deviceUsername } from "./auth/devices.ts";
import { liveDevice } from "./chat/devices.ts";
import { makeWelcome, type Welcome } from "./chat/welcome.ts";
import { isId } from "./ids.ts";
import type { Services } from "./services.ts";

/** What runs where, as far as the greeting shows it. */
export interface Started {
  web: { url: string; steppedOver: number | undefined } | undefined;
  broker: { host: string; port: number; steppedOver?: number | undefined } | undefined;
  /** Seconds that the start took. */
  seconds: number;
}

/** Says what runs where, and how a first device talks. For embedded mode, on a terminal. */
export async function greet(
  services: Services,
  { web, broker, seconds }: Started,
  say: (line: string) => void,
): Promise<void> {
  const { config, choices } = services;
  say(`\nConfab is running (started in ${seconds.toFixed(1)} s). Ctrl-C stops it.\n`);
  if (web !== undefined) say(`  Web client    ${web.url}/`);
  if (web !== undefined) say(`  API           ${web.url}/docs`);
  say(`  Database      ${choices.database} Postgres, data in ${config.dataDir}/`);
  say(`  Bus           ${choices.bus}`);
  if (broker !== undefined) say(`  MQTT broker   mqtt://${broker.host}:${broker.port}`);
  if (web?.steppedOver !== undefined) say(`\n  Port ${web.steppedOver} was taken.`);
  if (broker?.steppedOver !== undefined) say(`\n  Port ${broker.steppedOver} was taken.`);
  if (broker !== undefined) await greetDevice(services, broker, say);
  say("");
}

async function greetDevice(
  { chat, config, keys }: Services,
  { host, port }: { host: string; port: number },
  say: (line: string) => void,
): Promise<void> {
  const welcome = await keptWelcome(`${config.dataDir}/welcome.json`, () => makeWelcome(chat));
  const live = await liveDevice(chat, welcome.device);
  if (live === undefined) return;
  const password = await deviceSecret(keys.deviceKey, welcome.device, live.generation);
  const id = welcome.device;
  const own = `${config.mqtt.prefix}d/${id}`;
  const login = `-h ${host} -p ${port} -u ${deviceUsername(id, live)} -P ${password} -q 1`;
  say(`\n  A device is in the room "Lobby" already. It listens:\n`);
  say(`mosquitto_sub -i ${id}-sub ${login} -t '${own}/rooms/+/events' -t '${own}/receipts' -v`);
  say(`\n  It speaks:\n`);
  say(`mosquitto_pub -i ${id}-pub ${login} -t '${own}/rooms/${welcome.room}/send' -m 'Hello'`);
}

/** Reads which room and device were made at the first start, or makes them. */
async function keptWelcome(file: string, make: () => Promise<Welcome>): Promise<Welcome> {
  try {
    const { room, device } = JSON.parse(await Deno.readTextFile(file));
    if (isId(room) && isId(device)) return { room, device };
  } catch {
    // Not made yet, or not readable: made anew.
  }
  const made = await make();
  await Deno.writeTextFile(`${file}.new`, JSON.stringify(made));
  await Deno.rename(`${file}.new`, file);
  return made;
}
