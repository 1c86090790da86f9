/**
 * The gate before a commit: `deno task ok` runs everything, `deno task ok --static` all but the
 * tests that need a database. It stops at the first failure and exits with its code.
 */

interface Step {
  what: string;
  args: string[];
}

/** Documents with examples in TypeScript. */
const DOCUMENTS = ["README.md", "docs/sdk.md"];
/** The browser test has packages of its own, which nothing else needs. */
const BROWSER: Step[] = [["fmt", "--check"], ["lint"], ["check", "--quiet"]].map((args) => ({
  what: args[0]!,
  args: [...args, "--config", "testing/browser/deno.json", "testing/browser/"],
}));

const STATIC: Step[] = [
  { what: "Format", args: ["fmt", "--check"] },
  { what: "Lint", args: ["lint"] },
  { what: "Types, also of the examples in comments", args: ["check", "--quiet", "--doc", "."] },
  { what: "The examples in documents", args: ["check", "--quiet", "--doc-only", ...DOCUMENTS] },
  ...BROWSER.map((step) => ({ ...step, what: `${step.what} of the browser test` })),
  {
    what: "House rules, imports, documents",
    args: [
      "test",
      "-A",
      "--no-check",
      "testing/imports_test.ts",
      "testing/house_rules_test.ts",
      "testing/docs_test.ts",
      "testing/compose_test.ts",
      "lib/env_example_test.ts",
    ],
  },
];
const TESTS: Step = { what: "Tests", args: ["task", "test", "--no-check"] };

function say(line: string): void {
  // deno-lint-ignore no-console -- the output of a command
  console.log(line);
}

/** Runs the steps in order; the exit code of the first that fails, or 0. */
async function run(steps: Step[]): Promise<number> {
  for (const { what, args } of steps) {
    say(`\n${what}: deno ${args.join(" ")}`);
    const cwd = new URL("../", import.meta.url);
    const { code } = await new Deno.Command(Deno.execPath(), { args, cwd }).spawn().status;
    if (code !== 0) {
      say(`\nNot ok: ${what}`);
      return code;
    }
  }
  say("\nOk");
  return 0;
}

if (import.meta.main) {
  Deno.exit(await run(Deno.args.includes("--static") ? STATIC : [...STATIC, TESTS]));
}
