/** What `deno task faults` is asked to do. */
export interface RunOptions {
  /** The first seed; each run has the next one. */
  seed: number;
  seconds: number;
  runs: number;
  /** Runs at the same time. */
  jobs: number;
  /** Plant bugs instead: all of them, or those whose names contain this. */
  plants: string | undefined;
  /** Where the figures are merged into: a JSON file; the table goes into docs/faults.md. */
  report: string | undefined;
  /** Where failing runs are kept; by default a temporary folder. */
  keep: string | undefined;
  /** Tell of each fault. */
  verbose: boolean;
}

/** Throws a sentence for people when an argument is not known. */
export function readOptions(args: readonly string[]): RunOptions {
  const options: RunOptions = {
    ...{ seed: Math.floor(Math.random() * 1_000_000), seconds: 30, runs: 1, jobs: 1 },
    ...{ plants: undefined, report: undefined, keep: undefined, verbose: false },
  };
  const rest = [...args];
  const value = (name: string) => {
    const next = rest.shift();
    if (next === undefined) throw new Error(`${name} needs a value`);
    return next;
  };
  const number = (name: string, least: number) => {
    const given = Number(value(name));
    if (!Number.isInteger(given) || given < least) {
      throw new Error(`${name} is a whole number from ${least} on`);
    }
    return given;
  };
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--seed") options.seed = number(arg, 0);
    else if (arg === "--seconds") options.seconds = number(arg, 1);
    else if (arg === "--runs") options.runs = number(arg, 1);
    else if (arg === "--jobs") options.jobs = number(arg, 1);
    else if (arg === "--report") options.report = value(arg);
    else if (arg === "--keep") options.keep = value(arg);
    else if (arg === "--verbose") options.verbose = true;
    else if (arg === "--plants") {
      options.plants = rest[0] === undefined || rest[0].startsWith("--") ? "" : rest.shift()!;
    } else throw new Error(`Not known: "${arg}"`);
  }
  return options;
}
