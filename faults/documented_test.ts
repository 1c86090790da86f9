import { assert, assertEquals } from "@std/assert";
import { ROOT } from "../testing/module_graph.ts";
import { CHECKS } from "./checker.ts";
import { DECK } from "./faults/deck.ts";
import { PLANTS } from "./plants.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const text = await Deno.readTextFile(new URL("docs/faults.md", ROOT));

/** The first cells of the table below a heading. */
function firstCells(heading: string): string[] {
  const part = text.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  return part.split("\n").filter((line) => line.startsWith("|")).slice(2)
    .map((line) => line.split("|")[1]!.trim());
}

Deno.test("docs/faults.md names every check", strict, () => {
  assertEquals(firstCells("What is judged").sort(), [...Object.keys(CHECKS), "work done"].sort());
});

Deno.test("docs/faults.md names every class of faults, and no other", strict, () => {
  const named = firstCells("Faults").flatMap((cell) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
  );
  const is = (name: string, fault: string) =>
    name.endsWith("…") ? fault.startsWith(name.slice(0, -1)) : fault === name;
  const classes = DECK.map((fault) => fault.class);
  const count = (fault: string) => named.filter((name) => is(name, fault)).length;
  assertEquals(classes.filter((fault) => count(fault) !== 1), []);
  assert(named.length > 10);
  assertEquals(named.filter((name) => !classes.some((fault) => is(name, fault))), []);
});

Deno.test("docs/faults.md names every planted bug", strict, () => {
  assertEquals(firstCells("Planted bugs"), PLANTS.map(({ name }) => name));
});
