import { assert, assertEquals, assertThrows } from "@std/assert";
import { ROOT } from "../testing/module_graph.ts";
import { CHECKS } from "./checker.ts";
import { edited } from "./plant.ts";
import { PLANTS } from "./plants.ts";
import { SCENARIOS } from "./scenarios.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test(
  "every planted bug still has its place in the product, and changes it",
  strict,
  async () => {
    for (const { name, edits } of PLANTS) {
      const texts = new Map<string, string>();
      for (const edit of edits) {
        const before = texts.get(edit.file) ?? await Deno.readTextFile(new URL(edit.file, ROOT));
        const after = edited(before, edit);
        assert(after !== before, name);
        texts.set(edit.file, after);
      }
    }
  },
);

Deno.test("a planted bug is in the newest form of its function", strict, async () => {
  const folder = new URL("lib/database/migrations/", ROOT);
  const names = Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
  for (const { name, edits } of PLANTS) {
    for (const { file, find } of edits) {
      const at = names.indexOf(file.slice(file.lastIndexOf("/") + 1));
      if (at === -1) continue;
      const before = (await Deno.readTextFile(new URL(file, ROOT))).split(find)[0]!;
      const made = [...before.matchAll(/^create (?:or replace )?function (\w+)\(/gm)].at(-1)?.[1];
      if (made === undefined) continue;
      const again = new RegExp(`^create (or replace )?function ${made}\\(`, "m");
      for (const later of names.slice(at + 1)) {
        const text = await Deno.readTextFile(new URL(later, folder));
        assert(!again.test(text), `${name}: ${later} makes ${made} anew`);
      }
    }
  }
});

Deno.test("every planted bug has a scenario, and checks that exist", strict, () => {
  for (const { name, scenario, expected } of PLANTS) {
    assert(SCENARIOS.has(scenario), `${name}: ${scenario}`);
    assert(expected.length > 0, name);
    for (const check of expected) assert(check in CHECKS, `${name}: ${check}`);
  }
  assertEquals(new Set(PLANTS.map(({ name }) => name)).size, PLANTS.length);
});

Deno.test("an edit that has no place, or two, is refused", strict, () => {
  const edit = { file: "a.ts", find: "one", replace: "two" };
  assertEquals(edited("is one here", edit), "is two here");
  assertThrows(() => edited("nothing", edit));
  assertThrows(() => edited("one and one", edit));
});
