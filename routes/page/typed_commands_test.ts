import { assertEquals } from "@std/assert";
import type { Room } from "../../lib/client/mod.ts";
import {
  deviceOf,
  offeredCommands,
  offeredDevices,
  problemOf,
  TypedCommands,
} from "./typed_commands.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const devices = ["Pump 1", "Pump 10", "Valve 1", "Pump"].map((name) => ({
  id: name,
  kind: "device" as const,
  name,
}));
const definitions = [
  { name: "start", args: { speed: "1 to 5", "ramp-seconds": "" } },
  { name: "stop" },
];

Deno.test("a command line is completed by the names of devices", strict, () => {
  assertEquals(offeredDevices("/cmd ", devices).length, 4);
  assertEquals(offeredDevices("/cmd PUMP 1", devices), ["/cmd Pump 1 ", "/cmd Pump 10 "]);
  assertEquals(offeredDevices("/cmd x", devices), []);
});

Deno.test("the longest name that a line begins with is its device", strict, () => {
  assertEquals(deviceOf("/cmd pump 10 st", devices)?.name, "Pump 10");
  assertEquals(deviceOf("/cmd Pump 1 ", devices)?.name, "Pump 1");
  assertEquals(deviceOf("/cmd Pump 1", devices)?.name, "Pump");
  assertEquals(deviceOf("/cmd Valve 1", devices), undefined);
});

Deno.test("then by the commands of the device, then by their arguments", strict, () => {
  const device = devices[0]!;
  const offered = (text: string) => offeredCommands(text, device, definitions);
  assertEquals(offered("/cmd Pump 1 "), ["/cmd Pump 1 start ", "/cmd Pump 1 stop"]);
  assertEquals(offered("/cmd pump 1 sta"), ["/cmd Pump 1 start "]);
  assertEquals(offered("/cmd Pump 1 stop"), []);
  assertEquals(offered("/cmd Pump 1 start s"), ["/cmd Pump 1 start speed="]);
  assertEquals(offered("/cmd Pump 1 start speed=3 "), [
    "/cmd Pump 1 start speed=3 ramp-seconds=",
  ]);
  assertEquals(offered("/cmd Pump 1 start speed=3"), []);
});

Deno.test("what a device takes is read anew when that was some seconds ago", strict, async () => {
  let now = 0;
  let name = "start";
  const rest = { deviceCommands: () => Promise.resolve({ commands: [{ name }] }) };
  const commands = new TypedCommands(rest, { id: "r" } as Room, { list: devices }, () => now);
  assertEquals(await commands.offers("/cmd Pump 1 "), ["/cmd Pump 1 start"]);
  name = "begin";
  now = 9_999;
  assertEquals(await commands.offers("/cmd Pump 1 "), ["/cmd Pump 1 start"]);
  now = 10_000;
  assertEquals(await commands.offers("/cmd Pump 1 "), ["/cmd Pump 1 begin"]);
});

Deno.test("a line that is no command is explained with the part that is wrong", strict, () => {
  assertEquals(
    problemOf({ problem: "unknown_device", about: "Pump 9" }),
    'No device here is called "Pump 9".',
  );
  assertEquals(
    problemOf({ problem: "invalid_argument", about: "fast" }),
    '"fast" is no argument: write name=value, such as speed=3.',
  );
});
