import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { PassThrough } from "node:stream";
import { assert, assertEquals } from "@std/assert";
import { generate } from "mqtt-packet";
import { newId } from "../lib/ids.ts";
import { recordedLog } from "../testing/chat.ts";
import { freePort } from "../testing/mosquitto.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { RawMqtt } from "../testing/raw_mqtt.ts";
import { until } from "../testing/until.ts";
import { startBroker } from "./broker.ts";
import { ReadThrottle } from "./broker_throttle.ts";
import { Topics } from "./topics.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const topics = new Topics("confab/");
/** Of which the first two thirds are read at once, and the rest after two seconds. */
const FLOOD = 110;

Deno.test("a device that sends too much waits, alive, and nobody with it", strict, async () => {
  const port = freePort();
  const { log, lines } = recordedLog();
  const broker = await startBroker({
    host: "127.0.0.1",
    port,
    prefix: "confab/",
    log,
    authenticate: () => Promise.resolve(true),
    reads: {
      packets: { perSecond: 15, burst: 40 },
      bytes: { perSecond: 1_000_000, burst: 1_000_000 },
    },
  });
  try {
    await using bridge = await TestDevice.connect({
      ...broker.bridge,
      clientId: "confab-bridge-0",
    });
    await bridge.subscribe(topics.inbound().send);
    const [noisy, quiet, room] = [newId(), newId(), newId()];
    const connect = (id: string, keepaliveSeconds: number) =>
      RawMqtt.open({ port, clientId: id, username: id, password: "x", keepaliveSeconds });
    const heard = (id: string) =>
      bridge.received.filter(({ topic }) => topic === topics.send(id, room));
    await using flooder = await connect(noisy, 1);
    await using neighbour = await connect(quiet, 60);
    await flooder.write(flood(topics.send(noisy, room)));
    const answered = flooder.ping();
    await until("some of the flood is through", () => heard(noisy).length > 0);
    for (let i = 0; i < 10; i++) {
      assertEquals(await neighbour.publish(topics.send(quiet, room), String(i)), 0);
    }
    await until("the neighbour is heard", () => heard(quiet).length === 10);
    assert(heard(noisy).length < FLOOD, "the flood is not read at once");
    assertEquals(await answered, 0, "its keepalive of a second does not end it meanwhile");
    assertEquals(
      heard(noisy).map(({ payload }) => payload),
      Array.from({ length: FLOOD }, (_, i) => String(i)),
    );
    const told = lines.map((line) => JSON.parse(line)).filter(({ code }) => code !== undefined);
    assertEquals(told.map(({ code, device }) => [code, device]), [["rate_limited", noisy]]);
  } finally {
    await broker.stop();
  }
});

Deno.test("a stream that asks itself for more loses nothing by it", () => {
  const socket = new PassThrough();
  new ReadThrottle(undefined, recordedLog().log).add(socket as unknown as Socket);
  socket.write(Buffer.alloc(10));
  assertEquals(socket.read(0), null);
  assertEquals(socket.readableLength, 10);
  socket.destroy();
});

/** Publishes in one piece. */
function flood(topic: string): Uint8Array {
  const packets = Array.from({ length: FLOOD }, (_, i) =>
    generate({
      cmd: "publish",
      topic,
      payload: Buffer.from(String(i)),
      qos: 0,
      retain: false,
      dup: false,
    }, { protocolVersion: 5 }));
  return new Uint8Array(Buffer.concat(packets));
}
