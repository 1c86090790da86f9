import { assertEquals } from "@std/assert";
import { parseCommandLine } from "./client/command_line.ts";
import { commandLine } from "./command_line.ts";
import type { Metadata } from "./protocol.ts";

const id = "0197a3c2-9f10-7c44-8a6b-5d0f2e9b7c11";
/** What one would read from the line of a command. */
const read = (device: string, args: Metadata) =>
  parseCommandLine(commandLine(device, "start", args), [{ id, name: device }]);

Deno.test("a command is shown as one would type it", () => {
  assertEquals(
    commandLine("pump1", "start", { speed: 3, mode: "slow" }),
    '/cmd pump1 start mode="slow" speed=3',
  );
  assertEquals(commandLine("pump 1", "stop", {}), '/cmd "pump 1" stop');
});

Deno.test("what is read from the line of a command is that command", () => {
  const names = [
    "pump1",
    "Pump 9",
    'the "big" one',
    "it's",
    "a=b",
    "/cmd",
    "\\",
    "Pumpe 7 é\u2028x",
  ];
  const args: Metadata = {
    ...{ a: 0, b: -2.5e-7, c: 1e300, d: 12345678901234567890, e: true, f: false, g: null },
    ...{
      h: "",
      i: "true",
      j: "3",
      k: 'slow and "steady"',
      l: "it's",
      m: "two\nlines\t\u2028",
      n: "\\",
    },
    ...{ o: [], p: {}, q: [1, "] x", { deep: ["} y", 12345678901234567890] }], r: { "a b": "=" } },
    ...{
      "two words": 1,
      "": 2,
      "a=b": 3,
      '"quoted"': 4,
      "'": 5,
      "é": 6,
      "\n": "\n",
      constructor: 7,
    },
    ["k".repeat(64)]: 8,
  };
  for (const name of names) {
    assertEquals(read(name, args), { device: id, name: "start", args }, name);
    for (const [key, value] of Object.entries(args)) {
      assertEquals(read(name, { [key]: value }), {
        device: id,
        name: "start",
        args: { [key]: value },
      }, `${name} ${key}`);
    }
  }
  const own = JSON.parse('{"__proto__":1}');
  assertEquals(Object.entries((read("pump", own) as { args: Metadata }).args), [["__proto__", 1]]);
});
