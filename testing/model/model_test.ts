import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { BrokenPromise } from "./broken_promise.ts";
import { checkModel, describe } from "./check.ts";
import { DEFECTS } from "./defects.ts";
import { PRODUCTION } from "./pieces.ts";
import { schedules } from "./schedule.ts";
import { World } from "./world.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** MODEL_RUNS schedules, those of CONFAB_SEED or others each time; `deno task model` runs more. */
const runs = Number(Deno.env.get("MODEL_RUNS") || 20_000);
const seed = Number(Deno.env.get("CONFAB_SEED") || Math.floor(Math.random() * 2 ** 31));

Deno.test(
  `whatever is lost, late or repeated, a client has the log in order, or is told to reload, and ` +
    `the removed get nothing (P2, P4, P5, P6, P7)`,
  strict,
  () => {
    const failure = checkModel({ runs, seed });
    assert(failure === undefined, failure && describe(failure, seed));
  },
);

for (const [defect, pieces] of Object.entries(DEFECTS)) {
  Deno.test(`the model notices ${defect}`, strict, () => {
    const failure = checkModel({ runs: 5000, seed: 1, pieces, shrink: false });
    assert(failure !== undefined, "no schedule fails");
    assert(failure.error instanceof BrokenPromise, String(failure.error));
  });
}

Deno.test("a failed schedule is found again by its seed and path", strict, () => {
  const pieces = DEFECTS["a feed that overlooks gaps"]!;
  const first = checkModel({ runs: 5000, seed: 2, pieces });
  assert(first?.path !== undefined);
  const again = checkModel({ runs: 1, seed: 2, pieces, path: first.path });
  assertEquals(again?.commands, first.commands);
  assert(describe(first, 2).includes(`--seed 2 --path ${first.path}`));
});

/** What a story must show somewhere, or the schedules miss what the model is for. */
const SIGHTS = {
  "a commit": /^commit/,
  "a publish that arrives": /^the bus brings/,
  "a publish that is lost": /^the bus loses/,
  "a read of a gap": /^the store answers: node . needs/,
  "a read that fails": /^the store fails: node . needs/,
  "a join that fails": /^the store fails: node . joins/,
  "a resumed join": /is joined to r., recovered: true/,
  "a join that could not resume": /is joined to r., recovered: false/,
  "a fetch of the log": /^the store answers: p. fetches/,
  "an entry that gets lost on its way": /does not reach/,
  "a cut": /is cut off/,
  "a slow reader": /is too slow/,
  "a removal": /^p. is told removed/,
  "a stranger refused": /^p3 is told not_found/,
  "a restore": /^restore/,
  "a new epoch": /takes up epoch/,
};

Deno.test("the schedules meet all that the model is for", strict, () => {
  const missing = new Map(Object.entries(SIGHTS));
  for (const schedule of fc.sample(schedules(), { numRuns: 2000, seed: 1 })) {
    const story: string[] = [];
    new World(PRODUCTION, story).run(schedule);
    for (const [sight, expression] of missing) {
      if (story.some((line) => expression.test(line))) missing.delete(sight);
    }
    if (missing.size === 0) break;
  }
  assertEquals([...missing.keys()], []);
});
