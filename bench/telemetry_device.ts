import { Topics } from "../mqtt-bridge/topics.ts";
import { mqttConnect, mqttPublish } from "./mqtt_frames.ts";

const topics = new Topics("confab/");

/** A device over plain TCP, MQTT 3.1.1, that only measures; what comes is thrown away. */
export interface ReadingDevice {
  publish(payload: string, qos: 0 | 1): void;
  /** Resolves when everything is on its way. */
  written(): Promise<unknown>;
  close(): void;
}

/** Connects a device as soon as the broker knows it. */
export async function connectReader(
  port: number,
  id: string,
  password: string,
  room: string,
): Promise<ReadingDevice> {
  for (let tries = 1;; tries++) {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    await conn.write(mqttConnect(id, { username: id, password }));
    const answer = new Uint8Array(4096);
    const read = await conn.read(answer).catch(() => null);
    if (read !== null && answer[0] === 0x20 && answer[3] === 0) {
      void (async () => {
        while (await conn.read(answer).catch(() => null) !== null);
      })();
      return readingDevice(conn, topics.telemetry(id, room));
    }
    conn.close();
    if (tries === 200) throw new Error("The broker does not admit the device");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function readingDevice(conn: Deno.TcpConn, topic: string): ReadingDevice {
  let writing: Promise<unknown> = Promise.resolve();
  let published = 0;
  return {
    publish(payload, qos) {
      const bytes = mqttPublish(topic, payload, qos === 0 ? undefined : published++ % 65_535 + 1);
      writing = writing.then(async () => {
        for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
      }).catch(() => {});
    },
    written: () => writing,
    close: () => conn.close(),
  };
}
