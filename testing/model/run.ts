/**
 * `deno task model [--runs N] [--seed S] [--path P]`: runs schedules of the model, 200,000 when
 * nothing else is said, and exits with 1 when a promise did not hold. It prints the seed at the
 * start, and for a failure the shortest schedule that it found, what happened in it, and the
 * command that repeats exactly that one: `deno task model --seed S --path P`. A seed means the same
 * schedules only as long as `schedule.ts` is the same.
 */
import { parseArgs } from "node:util";
import { checkModel, describe } from "./check.ts";

function say(line: string): void {
  // deno-lint-ignore no-console -- the output of a command
  console.log(line);
}

function numberOf(name: string, given: string | undefined, otherwise: number): number {
  if (given === undefined || given === "") return otherwise;
  const value = Number(given);
  if (!Number.isSafeInteger(value)) throw new TypeError(`--${name} is "${given}" and no integer`);
  return value;
}

function main(): number {
  const { values } = parseArgs({
    args: Deno.args,
    options: { runs: { type: "string" }, seed: { type: "string" }, path: { type: "string" } },
  });
  const fresh = Math.floor(Math.random() * 2 ** 31);
  const seed = numberOf("seed", values.seed ?? Deno.env.get("CONFAB_SEED"), fresh);
  const runs = numberOf("runs", values.runs, 200_000);
  say(`Seed ${seed}, ${values.path === undefined ? `${runs} schedules` : `path ${values.path}`}`);
  const begunAt = performance.now();
  const failure = checkModel({
    runs,
    seed,
    ...(values.path === undefined ? {} : { path: values.path }),
  });
  const seconds = ((performance.now() - begunAt) / 1000).toFixed(1);
  say(failure === undefined ? `All promises held, ${seconds} s` : describe(failure, seed));
  return failure === undefined ? 0 : 1;
}

if (import.meta.main) Deno.exit(main());
