import { assertEquals } from "@std/assert";
import { newId } from "../lib/ids.ts";
import { createLog } from "../lib/log.ts";
import { freePort } from "../testing/mosquitto.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { RawMqtt } from "../testing/raw_mqtt.ts";
import { until } from "../testing/until.ts";
import { startBroker } from "./broker.ts";
import { Topics } from "./topics.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const topics = new Topics("confab/");

Deno.test("a will that waits is not published after the access has ended", strict, async () => {
  const port = freePort();
  const broker = await startBroker({
    host: "127.0.0.1",
    port,
    prefix: "confab/",
    log: createLog("silent"),
    authenticate: () => Promise.resolve(true),
  });
  /** Leaves a will that waits for so long, by a connection that drops. */
  const leave = async (device: string, seconds: number) => {
    const topic = topics.send(device, newId());
    const properties = { willDelayInterval: seconds };
    const will = { topic, payload: device, qos: 1 as const, retain: false, properties };
    const dying = await RawMqtt.open({
      ...{ port, clientId: device, username: device, password: "x" },
      ...{ clean: false, will },
    });
    await dying.drop();
  };
  try {
    await using bridge = await TestDevice.connect({
      ...broker.bridge,
      clientId: "confab-bridge-0",
    });
    await bridge.subscribe(topics.inbound().send);
    const [revoked, rotated, good, quick] = [newId(), newId(), newId(), newId()];
    for (const device of [revoked, rotated, good]) await leave(device, 2);
    await leave(quick, 0);
    broker.kick(revoked);
    broker.kick(rotated, [`${rotated}.2`]);
    broker.kick(good, [good]);
    const heard = () => bridge.received.map(({ payload }) => payload);
    await until("the will of the device that is still good", () => heard().includes(good));
    // The others would have come before it, and those that do not wait come at once.
    assertEquals(heard(), [quick, good]);
  } finally {
    await broker.stop();
  }
});
