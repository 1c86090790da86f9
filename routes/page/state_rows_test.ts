import { assertEquals } from "@std/assert";
import { stateRows } from "./state_rows.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("stateRows() shows what a device is beside what it shall be", strict, () => {
  const rows = stateRows(
    { speed: 2, on: true, limits: { low: 1, high: 9 } },
    { speed: 3, limits: { high: 9 }, mode: "eco" },
  );
  assertEquals(rows, [
    { field: "limits.high", reported: 9, desired: 9, differs: false },
    { field: "limits.low", reported: 1, desired: undefined, differs: false },
    { field: "mode", reported: undefined, desired: "eco", differs: true },
    { field: "on", reported: true, desired: undefined, differs: false },
    { field: "speed", reported: 2, desired: 3, differs: true },
  ]);
});

Deno.test("stateRows() compares lists as values, and objects without their order", strict, () => {
  const differs = (a: never, b: never) => stateRows({ x: a }, { x: b })[0]!.differs;
  const list = (...items: unknown[]) => items as never;
  assertEquals(differs(list({ a: 1, b: 2 }), list({ b: 2, a: 1 })), false);
  assertEquals(differs(list(1, 2), list(2, 1)), true);
  assertEquals(differs(list(1), list(1, 2)), true);
  assertEquals(differs({} as never, list()), true);
  assertEquals(differs({} as never, {} as never), false);
});

Deno.test("stateRows() takes a wish for null as a wish for absence", strict, () => {
  assertEquals(stateRows({}, { mode: null })[0]!.differs, false);
  assertEquals(stateRows({ mode: "eco" }, { mode: null })[0]!.differs, true);
});

Deno.test("stateRows() of nothing is nothing", strict, () => {
  assertEquals(stateRows({}, {}), []);
});
