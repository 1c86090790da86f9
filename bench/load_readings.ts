import { atRate } from "./at_rate.ts";
import type { MqttDevices } from "./load_mqtt.ts";

/** The devices in turn publish `perSecond` times together, for `ms`, whatever becomes of it. */
export interface ReadingsJob {
  do: "readings";
  perSecond: number;
  /** Readings in a publish, each of another metric. */
  readings: number;
  ms: number;
}

/** What was sent. */
export interface SentReadings {
  publishes: number;
  readings: number;
  /** Until the last was on its way. */
  ms: number;
}

/** The open loop of devices that measure. */
export async function sendReadings(
  { perSecond, readings, ms }: ReadingsJob,
  devices: MqttDevices,
): Promise<SentReadings> {
  const metrics = Array.from({ length: readings }, (_, i) => `metric${i}`);
  const publishes = Math.round(perSecond * ms / 1000);
  const writing: Promise<unknown>[] = [];
  const start = performance.now();
  await atRate(publishes, perSecond, (number) => {
    const values = metrics.map((metric, i) => [metric, number + i / 10]);
    writing.push(devices.publishReadings(number, JSON.stringify(Object.fromEntries(values))));
  });
  await Promise.all(writing);
  return { publishes, readings: publishes * readings, ms: performance.now() - start };
}
