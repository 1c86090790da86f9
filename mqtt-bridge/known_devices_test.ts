import { assertEquals } from "@std/assert";
import { newId } from "../lib/ids.ts";
import { KnownDevices } from "./known_devices.ts";

const device = () => Promise.resolve(undefined);

/** How many of `count` publishes are granted. */
function granted(devices: KnownDevices, id: string, qos: number, count = 2000): number {
  return Array.from({ length: count }, () => devices.take(id, qos)).filter((one) => one.granted)
    .length;
}

Deno.test("KnownDevices takes what waited for a connection beyond the rate, up to a bound", () => {
  const devices = new KnownDevices({ device }, { perSecond: 1, burst: 5 });
  const [a, b, c] = [newId(), newId(), newId()];
  assertEquals(granted(devices, a, 1), 5, "before any connection");
  devices.connected();
  assertEquals(granted(devices, b, 1), 605);
  assertEquals(granted(devices, c, 0), 5, "nothing waits at QoS 0");
  devices.connected();
  assertEquals(granted(devices, b, 1), 600, "it comes again on the next connection");
});
