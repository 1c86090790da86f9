import { assertEquals } from "@std/assert";
import type { Principal } from "../lib/auth/principal.ts";
import { newId } from "../lib/ids.ts";
import { KnownDevices } from "./known_devices.ts";

const device = () => Promise.resolve(undefined);

/** How many of `count` publishes are granted. */
function granted(devices: KnownDevices, id: string, qos: number, count = 2000): number {
  return Array.from({ length: count }, () => devices.take(id, qos)).filter((one) => one.granted)
    .length;
}

Deno.test("KnownDevices does not keep an answer from before a device has changed", async () => {
  const answers: ((principal: Principal | undefined) => void)[] = [];
  const device = () => new Promise<Principal | undefined>((resolve) => answers.push(resolve));
  const devices = new KnownDevices({ device }, { perSecond: 1, burst: 1 });
  const id = newId();
  const owner = { id: newId(), kind: "user", role: "user", name: "Owner" } as const;
  const first = devices.principal(id);
  devices.forget(id); // its credentials were disabled
  answers[0]!(owner);
  await first;
  const second = devices.principal(id);
  assertEquals(answers.length, 2, "it is asked again");
  answers[1]!(undefined);
  assertEquals(await second, undefined);
});

Deno.test("all credentials of one person share one quota", async () => {
  const owner = { id: newId(), kind: "user", role: "user", name: "Owner" } as const;
  const device = () => Promise.resolve(owner);
  const devices = new KnownDevices({ device }, { perSecond: 1, burst: 5 });
  const [a, b] = [newId(), newId()];
  await devices.principal(a);
  await devices.principal(b);
  assertEquals(granted(devices, a, 1), 5);
  assertEquals(granted(devices, b, 1), 0);
});

Deno.test("KnownDevices takes what waited for a connection beyond the rate, up to a bound", () => {
  const devices = new KnownDevices({ device }, { perSecond: 1, burst: 5 });
  const [a, b, c] = [newId(), newId(), newId()];
  assertEquals(granted(devices, a, 1), 5, "before any connection");
  devices.connected();
  assertEquals(granted(devices, b, 1), 605);
  assertEquals(granted(devices, c, 0), 5, "nothing waits at QoS 0");
  devices.connected();
  assertEquals(granted(devices, b, 1, 300), 300, "it comes again on the next connection");
  devices.caughtUp();
  assertEquals(granted(devices, b, 1), 0, "what comes now did not wait");
});
