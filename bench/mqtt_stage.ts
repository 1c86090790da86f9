import { Topics } from "../mqtt-bridge/topics.ts";
import type { BenchContext } from "./bench.ts";
import type { LoadDevice } from "./load_mqtt.ts";
import { type BridgeBroker, mosquittoMissing } from "./mosquitto.ts";

const PREFIX = "confab/";
const topics = new Topics(PREFIX);

/** True, and said, when there is no Mosquitto to measure with. */
export async function leaveOut({ leftOut }: BenchContext, what: string): Promise<boolean> {
  const missing = await mosquittoMissing();
  if (missing !== undefined) leftOut(`${what}: Mosquitto is not there: ${missing}`);
  return missing !== undefined;
}

/** A new device in each of these rooms, which may be one and the same. */
export async function devicesIn({ scene }: BenchContext, rooms: string[]): Promise<LoadDevice[]> {
  return (await scene.devices(rooms)).map(({ id, password }, i) => ({
    id,
    password,
    send: topics.send(id, rooms[i]!),
    telemetry: topics.telemetry(id, rooms[i]!),
    receipts: topics.receipts(id),
    events: topics.events(id, rooms[i]!),
  }));
}

/** The environment of a server whose role `bridge` uses this broker. */
export function bridgeEnvironment({ port, credentials }: BridgeBroker): Record<string, string> {
  return {
    MQTT_URL: `mqtt://127.0.0.1:${port}`,
    MQTT_USERNAME: credentials.username,
    MQTT_PASSWORD: credentials.password,
    MQTT_PREFIX: PREFIX,
  };
}
