import { assert, assertEquals } from "@std/assert";
import { ROOT, sourceFiles } from "./module_graph.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const sources = new Map<string, string>();
for (const path of await sourceFiles(".ts")) {
  sources.set(path, await Deno.readTextFile(new URL(path, ROOT)));
}

const isTest = (path: string) =>
  /_test\.ts$|(^|\/)(testing|bench|e2e|faults)\/|contract\.ts$/.test(path);
const product = [...sources].filter(([path]) => !isTest(path));

/** `path:line` of every match in the files; `expression` has the flag g. */
function found(files: Iterable<[string, string]>, expression: RegExp): string[] {
  return [...files].flatMap(([path, text]) =>
    [...text.matchAll(expression)].map(({ index, 0: match }) =>
      `${path}:${text.slice(0, index).split("\n").length}: ${match.trim().slice(0, 60)}`
    )
  );
}

Deno.test("files are named after what they hold, and stay small", strict, () => {
  const nameless = /(^|\/)(utils?|helpers?|common|types|misc|managers?)\.ts$/;
  assertEquals([...sources.keys()].filter((path) => nameless.test(path)), []);
  // lib/config.ts is one table, one line or two per variable
  const long = product.filter(([path]) => path !== "lib/config.ts")
    .map(([path, text]) => `${path}: ${text.split("\n").length} lines`)
    .filter((line) => Number(line.split(" ")[1]) > 300);
  assertEquals(long, []);
});

/** Functions and methods by where they begin, with their lines; the formatter aligns both ends. */
function functionLengths(path: string, text: string): { at: string; lines: number }[] {
  const lines = text.split("\n");
  const head =
    /^( *)(?:export |default |static |async |override |get |set |private )*(?:function\b.*|[#\w]+\(.*|const \w+ = .*=>.*)[({]$/;
  return lines.flatMap((line, start) => {
    const indent = head.exec(line)?.[1];
    if (indent === undefined || /^ *(if|for|while|switch|return|await|catch)\b/.test(line)) {
      return [];
    }
    const body = lines.slice(start + 1);
    const end = body.findIndex((one) => new RegExp(`^${indent}\\}`).test(one));
    // What the next line of the same indentation closes without a brace is a call
    return end < 0 ? [] : [{ at: `${path}:${start + 1}`, lines: end + 2 }];
  });
}

Deno.test("functions stay short", strict, () => {
  const all = product.flatMap(([path, text]) => functionLengths(path, text));
  assert(all.length > 500, "functions were found");
  // Generous, for tables of endpoints and for functions that return an object of functions
  const long = all.filter(({ lines }) => lines > 120);
  assertEquals(long.map(({ at, lines }) => `${at}: ${lines} lines`), []);
});

Deno.test("the environment is read in one place, and handed to it by the programs", strict, () => {
  const readers = new Set(
    found(product, /Deno\.env\b|process\.env\b/g).map((at) => at.split(":")[0]),
  );
  const programs = [
    "lib/database/migrate_cli.ts",
    "main.ts",
    "mqtt-bridge/mosquitto/credentials.ts",
  ];
  assertEquals([...readers].sort(), programs);
  assertEquals(
    found(product, /Deno\.env\b(?!\.toObject\(\)\))/g),
    [],
    "only `readConfig(Deno.env.toObject())`",
  );
});

Deno.test("only lib/chat announces entries to other nodes", strict, () => {
  const elsewhere = product.filter(([path]) => !path.startsWith("lib/chat/"));
  assertEquals(found(elsewhere, /\bbus\s*\.publish\(/g), []);
  const inside = product.filter(([path]) => path.startsWith("lib/chat/"));
  assert(
    found(inside, /\bbus\s*\.publish\(/g).length > 0,
    "it does, or this test looks for nothing",
  );
});

Deno.test("SQL stands in lib/store and lib/database only", strict, () => {
  const sql =
    /["'`]\s*(select\s+[\w*("$]|insert into\s|update\s+\w+\s+set\s|delete from\s|with\s+\w+\s+as\s)/gi;
  const at = found(product, sql);
  const elsewhere = at.filter((line) => !/^lib\/(store|database)\//.test(line));
  assertEquals(elsewhere, []);
  assert(at.length > 20, "there is SQL in lib/store, or this test looks for nothing");
});

Deno.test("no test waits for a fixed time; a random one may mix what runs at once", strict, () => {
  const tests = [...sources].filter(([path]) => path.endsWith("_test.ts"));
  assertEquals(
    found(tests, /await[^;\n]*setTimeout\((?![^;\n]*Math\.random)[^;\n]*,[^;\n]*\)/g),
    [],
  );
});

Deno.test("every test file has a test", strict, () => {
  const empty = [...sources].filter(([path]) => path.endsWith("_test.ts"))
    .filter(([, text]) => !/Deno\.test\(|testWith\(|Contract\(/.test(text)).map(([path]) => path);
  assertEquals(empty, []);
});
