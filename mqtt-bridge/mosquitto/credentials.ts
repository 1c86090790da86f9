/**
 * Writes a whole `dynamic-security.json` to standard output: the bridge of MQTT_USERNAME and
 * MQTT_PASSWORD and all devices of the database, for a Mosquitto that has lost its own or begins
 * with many. With the broker stopped, and the environment of the bridge:
 *
 *     deno run -A mqtt-bridge/mosquitto/credentials.ts > dynamic-security.json
 *
 * The plugin writes its whole file for each device that is made at run time, which takes over a
 * minute for 5,000 of them; this takes seconds.
 */
import { deviceSecret } from "../../lib/auth/devices.ts";
import { bridgeStore } from "../../lib/chat/bridge.ts";
import { ConfigError, readConfig } from "../../lib/config.ts";
import { createLog } from "../../lib/log.ts";
import { openServices, type Services } from "../../lib/services.ts";
import { type BrokerClient, brokerClients } from "../broker_clients.ts";
import { dynsecFile } from "./dynsec.ts";

/** The file that a Mosquitto of these services should start with. */
export async function wholeDynsecFile(
  { config, chat, keys }: Pick<Services, "config" | "chat" | "keys">,
): Promise<string> {
  const { username, password } = config.mqtt.broker ?? {};
  if (username === undefined || password === undefined) {
    throw new ConfigError("MQTT_USERNAME, MQTT_PASSWORD: are required");
  }
  const secretOf = ({ id, generation }: { id: string; generation: number }) =>
    deviceSecret(keys.deviceKey, id, generation);
  const clients: BrokerClient[] = [];
  for (const device of await bridgeStore(chat).devices()) {
    clients.push(...await brokerClients(device, secretOf));
  }
  return dynsecFile({ username, password }, clients);
}

if (import.meta.main) {
  const config = readConfig(Deno.env.toObject());
  await using services = await openServices(config, { log: createLog("warn") });
  const file = new TextEncoder().encode(await wholeDynsecFile(services));
  for (let at = 0; at < file.length;) at += await Deno.stdout.write(file.subarray(at));
}
