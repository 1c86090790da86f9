import type { Size } from "./bench.ts";

/** What a run is asked to do. */
export interface Options {
  /** Scenarios; all when none is named. */
  only: string[];
  size: Size;
  runs: number;
  peers: boolean;
  /** Where the report goes as JSON. */
  json: string | undefined;
  /** Renews docs/performance.md: after a run of everything, or from the figures that are there. */
  docs: boolean;
  charts: boolean;
}

/** How it is used. */
export function usage(names: string[]): string {
  return `deno task bench [--only NAME,…] [--runs N] [--quick] [--no-peers] [--json FILE] [--docs]
  --only      some of: ${names.join(", ")}
  --runs      times that everything is measured; 5 when absent, 1 with --quick
  --quick     shorter and less: a smoke test, its figures say little
  --no-peers  only Confab
  --json      also writes everything to a file
  --docs      also renews the figures and charts of docs/performance.md
  --charts    measures nothing: renews docs/performance.md from bench/figures.json`;
}

/** Throws a sentence for people when an argument is not known. */
export function readOptions(args: string[], names: string[]): Options {
  const options: Options = {
    only: names,
    size: "full",
    runs: NaN,
    peers: true,
    json: undefined,
    docs: false,
    charts: false,
  };
  const rest = [...args];
  const value = (arg: string) => {
    const next = rest.shift();
    if (next === undefined) throw new Error(`${arg} needs a value`);
    return next;
  };
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--quick") options.size = "quick";
    else if (arg === "--tiny") options.size = "tiny"; // for the test that runs every scenario
    else if (arg === "--no-peers") options.peers = false;
    else if (arg === "--docs") options.docs = true;
    else if (arg === "--charts") options.charts = true;
    else if (arg === "--json") options.json = value(arg);
    else if (arg === "--runs") options.runs = Number(value(arg));
    else if (arg === "--only") options.only = value(arg).split(",");
    else throw new Error(`Not known: "${arg}"\n${usage(names)}`);
  }
  if (Number.isNaN(options.runs)) options.runs = options.size === "full" ? 5 : 1;
  if (!Number.isInteger(options.runs) || options.runs < 1) throw new Error("--runs needs a number");
  const unknown = options.only.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`Not known: "${unknown}"\n${usage(names)}`);
  return options;
}
