import { assertEquals } from "@std/assert";
import type { Json } from "../protocol.ts";
import { isCommandLine, parseCommandLine } from "./command_line.ts";

const devices = [
  { id: "0197a3c2-9f10-7c44-8a6b-5d0f2e9b7c11", name: "pump1" },
  { id: "0197a3c2-9f10-7c44-8a6b-5d0f2e9b7c12", name: "Soil sensor" },
  { id: "0197a3c2-9f10-7c44-8a6b-5d0f2e9b7c13", name: "Soil sensor north" },
  { id: "0197a3c2-9f10-7c44-8a6b-5d0f2e9b7c14", name: "twin" },
  { id: "0197a3c2-9f10-7c44-8a6b-5d0f2e9b7c15", name: "Twin" },
];
const [pump, soil, north] = devices.map(({ id }) => id);
const read = (text: string) => parseCommandLine(text, devices);

/** The arguments of a line for the pump. */
function argsOf(text: string): unknown {
  const line = read(`/cmd pump1 start ${text}`);
  return line !== undefined && "args" in line ? line.args : line;
}

Deno.test("a command line names a device, a command and arguments", () => {
  assertEquals(read("/cmd pump1 start speed=3"), {
    device: pump!,
    name: "start",
    args: { speed: 3 },
  });
  assertEquals(read(`  /cmd`), undefined);
  assertEquals(read("/cmdpump1 start"), undefined);
  assertEquals(read("hello /cmd pump1 start"), undefined);
  assertEquals(["/cmd", "/cmd x", "/cmd\tx", "/cmds", "cmd"].map(isCommandLine), [
    true,
    true,
    true,
    false,
    false,
  ]);
});

Deno.test("a device goes by its id, or its name in any case, in quotes or not", () => {
  const ids = [
    ["PUMP1 go", pump],
    [`${soil} go`, soil],
    ['"Soil sensor" go', soil],
    ["'soil SENSOR' go", soil],
    ["soil sensor go", soil],
    ["Soil sensor north go", north],
    ["\tSoil sensor   go  ", soil],
  ];
  for (const [text, device] of ids) {
    assertEquals(read(`/cmd ${text}`), { device: device!, name: "go", args: {} }, text!);
  }
});

Deno.test("values are JSON where they look like it, and words otherwise", () => {
  const values: [string, Json][] = [
    ["3", 3],
    ["-2.5e3", -2500],
    ["007", "007"],
    ["1.2.3", "1.2.3"],
    ["12345678901234567890", "12345678901234567890"],
    ["1e999", "1e999"],
    ["true", true],
    ["false", false],
    ["null", null],
    ["fast", "fast"],
    ["a=b", "a=b"],
    ["", ""],
    ['"slow and \\"steady\\""', 'slow and "steady"'],
    ["'it is \\n'", "it is \\n"],
    ['""', ""],
    ["[1, 2, [3]]", [1, 2, [3]]],
    ['{"a": "] x", "b": {}}', { a: "] x", b: {} }],
  ];
  for (const [typed, value] of values) {
    assertEquals(argsOf(`x=${typed} last=1`), { x: value, last: 1 }, typed);
    assertEquals(argsOf(`first=1 x=${typed}`), { first: 1, x: value }, typed);
  }
  const args = argsOf("__proto__=1 constructor=2") as object;
  assertEquals(Object.entries(args), [["__proto__", 1], ["constructor", 2]]);
});

Deno.test("what is no command says why", () => {
  const problems = [
    ["/cmd", "no_device", ""],
    ["/cmd  ", "no_device", ""],
    ["/cmd pumpe start", "unknown_device", "pumpe"],
    ['/cmd "" start', "unknown_device", ""],
    ["/cmd twin start", "ambiguous_device", "twin"],
    ["/cmd pump1", "no_command", ""],
    ["/cmd pump1 Start", "invalid_command", "Start"],
    [`/cmd pump1 ${"a".repeat(65)}`, "invalid_command", "a".repeat(65)],
    ["/cmd pump1 start fast", "invalid_argument", "fast"],
    ["/cmd pump1 start =3", "invalid_argument", "=3"],
    ["/cmd pump1 start x=[1", "invalid_argument", "x"],
    ['/cmd pump1 start x="open', "invalid_argument", "x"],
    ['/cmd pump1 start x="a"b', "invalid_argument", "x"],
    ["/cmd pump1 start x=1 x=2", "repeated_argument", "x"],
    [`/cmd ${"y".repeat(200)}`, "unknown_device", "y".repeat(80)],
  ];
  for (const [text, problem, about] of problems) {
    assertEquals(read(text!) as unknown, { problem, about }, text!);
  }
});
