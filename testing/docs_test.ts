import { assert, assertEquals } from "@std/assert";
import project from "../deno.json" with { type: "json" };
import { environment } from "../lib/config.ts";
import { logEvent } from "../lib/entry_schemas.ts";
import { CLOSE, type ErrorCode, ERRORS } from "../lib/errors.ts";
import { FRAME_TYPES } from "../lib/schemas.ts";
import { ROOT, sourceFiles } from "./module_graph.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const documents = new Map<string, string>();
for (const path of await sourceFiles(".md")) {
  documents.set(path, await Deno.readTextFile(new URL(path, ROOT)));
}

/** Written by the browser test with SCREENSHOTS=1, and so perhaps not there yet. */
const MADE_LATER = /^docs\/images\/[a-z-]+\.png$/;
/** Variables that are read by tests, the shell, other services or Deno. */
const OTHER_VARIABLES = new Set([
  ...[
    "CI",
    "CONFAB_SEED",
    "DENO_CERT",
    "DENO_DEPLOY",
    "DENO_JOBS",
    "DENO_VERSION",
    "EDGE_DENO",
    "MODEL_RUNS",
    "REQUIRE_SERVICES",
    "SCREENSHOTS",
  ],
  ...["TEST_DATABASE_URL", "TEST_REDIS_URL", "TEST_TEMPLATE"],
  ...["HTTPS_PORT", "HTTP_PORT", "MQTT_LISTEN_PORT", "POSTGRES_PASSWORD", "REDIS_PASSWORD"],
  ...["SITE_ADDRESS", "POSTGRES_HOST_AUTH_METHOD"],
  // Of the examples
  ...["HOST", "PORT", "TLS", "DEVICE", "USERNAME", "SECRET", "ROOM", "STATE"].map((name) =>
    `CONFAB_${name}`
  ),
]);

/** The bridge waits, and tries again. */
const UNTOLD = new Set(["unavailable", "outcome_unknown"]);
/** What the actions answer that devices call, through the bridge. */
const TOLD_BY_ACTIONS: ErrorCode[] = [
  "not_found",
  "read_only",
  "client_id_reused",
  "invalid_reply",
  "command_settled",
  "too_many_metrics",
  "epoch_changed",
  "overloaded",
  "internal",
  "forbidden",
];

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(new URL(path, ROOT));
    return true;
  } catch {
    return false;
  }
}

/** The anchors of a document's headings, as GitHub makes them. */
function anchorsOf(text: string): Set<string> {
  return new Set(
    [...text.replace(/```[\s\S]*?```/g, "").matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
      heading!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
    ),
  );
}

/** What `expression` finds in all documents, as `path: match` where `wrong` says so. */
function complaints(expression: RegExp, wrong: (match: string) => boolean): string[] {
  return [...documents].flatMap(([path, text]) =>
    [...text.matchAll(expression)].map(([, match]) => match!).filter(wrong)
      .map((match) => `${path}: ${match}`)
  );
}

Deno.test("the table of entries names every type, and no other", strict, () => {
  const [, table = ""] = documents.get("docs/websocket.md")!.split("## Entries");
  const rows = table.split("\n").filter((line) => line.startsWith("| `"));
  const named = rows.slice(0, rows.findIndex((row) => row.includes("`command.updated`")) + 1)
    .flatMap((row) => [...row.split("|")[1]!.matchAll(/`([a-z.]+)`/g)].map(([, type]) => type));
  const types = logEvent.options.flatMap(({ shape: { type } }) =>
    "options" in type ? type.options : [...type.values]
  );
  assertEquals(named.sort(), types.sort());
});

Deno.test(
  "the contract for firmware says what to do about every code that devices are told",
  strict,
  async () => {
    const [, table = ""] = documents.get("mqtt-bridge/README.md")!.split("### Errors");
    const rows = table.trim().split("\n\n")[0]!.split("\n").filter((line) =>
      line.startsWith("| `")
    );
    const named = rows.flatMap((row) =>
      [...row.split("|")[1]!.matchAll(/`(\w+)`/g)]
        .map(([, code]) => code!)
    );
    const told = new Set<string>();
    for (const path of await sourceFiles(".ts")) {
      if (!path.startsWith("mqtt-bridge/") || path.endsWith("_test.ts")) continue;
      const text = await Deno.readTextFile(new URL(path, ROOT));
      for (const [, code] of text.matchAll(/new ConfabError\(\s*"(\w+)"/g)) {
        if (!UNTOLD.has(code!)) told.add(code!);
      }
    }
    for (const code of TOLD_BY_ACTIONS) told.add(code);
    assertEquals([...told].filter((code) => !named.includes(code)), []);
    assertEquals(named.filter((code) => !Object.hasOwn(ERRORS, code)), []);
  },
);

Deno.test("every relative link of a document leads to a file and a heading", strict, async () => {
  assert(documents.has("README.md"), "documents were found");
  const broken: string[] = [];
  for (const [path, text] of documents) {
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const [file, anchor] = target!.split("#");
      const resolved = file === ""
        ? path
        : new URL(file!, new URL(path, ROOT)).href.slice(ROOT.length);
      if (MADE_LATER.test(resolved)) continue;
      const missing = !await exists(resolved) ||
        (anchor !== undefined && !anchorsOf(documents.get(resolved) ?? "").has(anchor));
      if (missing) broken.push(`${path}: ${target}`);
    }
  }
  assertEquals(broken, []);
});

Deno.test("every file that a document names in code exists", strict, async () => {
  const named = /`((?:lib|routes|mqtt-bridge|workers|testing|bench|docs)\/[\w./-]+)`/g;
  const broken: string[] = [];
  for (const [path, text] of documents) {
    for (const [, file] of text.matchAll(named)) {
      if (!await exists(file!)) broken.push(`${path}: ${file}`);
    }
  }
  assertEquals(broken, []);
});

Deno.test("every task that a document names exists", strict, () => {
  const tasks: Record<string, string> = project.tasks;
  assertEquals(complaints(/deno task ([a-z][a-z:-]*)/g, (name) => !(name in tasks)), []);
});

Deno.test("every variable that a document names exists", strict, () => {
  const known = (name: string) => name in environment.shape || OTHER_VARIABLES.has(name);
  const named = /(?:`|^|[\s{(])((?:[A-Z][A-Z0-9]*_)+[A-Z0-9]+)(?==|`|:\?|\b)/gm;
  assertEquals(complaints(named, (name) => !known(name)), []);
});

Deno.test("docs/websocket.md names every frame type and every close code", strict, () => {
  const text = documents.get("docs/websocket.md") ?? "";
  for (const type of FRAME_TYPES) assert(text.includes(`"${type}"`), type);
  for (const { code } of Object.values(CLOSE)) assert(text.includes(String(code)), String(code));
});

Deno.test("every error code that a document quotes in a table is one of ours", strict, () => {
  const tables = complaints(/^\| +`([a-z]+(?:_[a-z0-9]+)+)`/gm, (code) => !(code in ERRORS));
  // Columns of other things in snake case
  assertEquals(tables.filter((line) => !/_(sub|pub|passwd|ctrl)$/.test(line)), []);
});
