import { atRate } from "./at_rate.ts";
import type { LoadDevice } from "./load_mqtt.ts";
import { mqttConnect, mqttPublish } from "./mqtt_frames.ts";

/** One device publishes with QoS 1 and waits for nothing, for `ms` or until it is cut off. */
export interface FloodJob {
  do: "flood";
  port: number;
  device: LoadDevice;
  /** Sends, or readings of one metric. */
  of: "sends" | "readings";
  perSecond: number;
  ms: number;
}

/** What became of a flood. */
export interface Flooded {
  /** Handed to the socket; the broker need not have read them. */
  publishes: number;
  ms: number;
  /** When the broker ended the connection. */
  cutAfterMs?: number;
}

/** What a flooder keeps when the broker does not read: then it publishes no more. */
const MAX_WAITING = 10_000;

/** The flood. */
export async function floodBroker(job: FloodJob): Promise<Flooded> {
  const { port, device, of, perSecond, ms } = job;
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const start = performance.now();
  let cutAfterMs: number | undefined;
  const admitted = Promise.withResolvers<void>();
  const reading = (async () => {
    const buffer = new Uint8Array(65536);
    // What comes first is the CONNACK.
    while ((await conn.read(buffer).catch(() => null)) !== null) admitted.resolve();
    cutAfterMs ??= performance.now() - start;
    admitted.resolve();
  })();
  await conn.write(mqttConnect(device.id, { username: device.id, password: device.password }));
  await admitted.promise;
  const topic = of === "sends" ? device.send : device.telemetry;
  const payload = of === "sends" ? '{"text":"again"}' : '{"x":1}';
  let [publishes, waiting, writing] = [0, 0, Promise.resolve()];
  await atRate(Math.round(perSecond * ms / 1000), perSecond, (number) => {
    if (waiting >= MAX_WAITING) return;
    waiting++;
    writing = writing.then(async () => {
      const bytes = mqttPublish(topic, payload, number % 65535 + 1);
      for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
      publishes++;
      waiting--;
    }).catch(() => {});
  }, () => cutAfterMs !== undefined);
  const cut = cutAfterMs;
  const lasted = performance.now() - start;
  conn.close();
  await Promise.all([reading, writing]);
  return { publishes, ms: lasted, ...(cut === undefined ? {} : { cutAfterMs: cut }) };
}
