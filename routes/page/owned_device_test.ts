import { assertEquals } from "@std/assert";
import type { Device, OwnDevices } from "../../lib/client/mod.ts";
import { OwnedDevice } from "./owned_device.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const device: Device = {
  id: "d",
  name: "Lamp",
  createdAt: "2026-03-01T12:00:00.000Z",
  kind: "device",
};

Deno.test("what a change came to stands against a read that began before", strict, async () => {
  Object.assign(globalThis, { document: new EventTarget() });
  const { promise, resolve } = Promise.withResolvers<{ device: Device }>();
  const owned = new OwnedDevice({ get: () => promise } as unknown as OwnDevices, "d");
  const seen: unknown[] = [];
  owned.on(() => seen.push(owned.device?.disabledAt));
  owned.take({ ...device, disabledAt: device.createdAt });
  resolve({ device });
  await promise;
  await Promise.resolve();
  owned.stop();
  delete (globalThis as { document?: unknown }).document;
  assertEquals(seen, [device.createdAt]);
});
