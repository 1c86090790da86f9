import { assert, assertEquals } from "@std/assert";
import { type Edge, loadedAtStart, readModuleGraph, sourceFiles } from "./module_graph.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** Folders below these are one part each; every other folder is part of the one above it. */
const PARTS = /^(lib\/[^/]+|routes\/page|[^/]+)\//;
/** Files in lib/ that put things together, and so may name what stands above them. */
const COMPOSITION = ["lib/services.ts", "lib/greeting.ts", "lib/database/migrate_cli.ts"];

/** `lib/chat` for `lib/chat/rooms.ts`, `lib` for `lib/log.ts`, the file itself where it is named. */
function partOf(path: string): string {
  if (COMPOSITION.includes(path) || path === "main.ts") return path;
  if (/^lib\/[^/]+$/.test(path)) return "lib";
  return PARTS.exec(path)?.[1] ?? path;
}

const PORTS = ["lib", "lib/bus", "lib/database", "lib/limits", "lib/presence"];

/** What each part may import, besides itself. `lib` is what stands directly in that folder. */
const MAY_IMPORT: Record<string, string[]> = {
  "lib": [],
  "lib/database": ["lib"],
  "lib/redis": ["lib"],
  "lib/bus": ["lib", "lib/redis"],
  "lib/limits": ["lib", "lib/redis"],
  "lib/presence": ["lib", "lib/redis"],
  "lib/store": ["lib", "lib/database"],
  "lib/auth": [...PORTS, "lib/store"],
  "lib/chat": [...PORTS, "lib/store", "lib/auth"],
  "lib/realtime": [...PORTS, "lib/store", "lib/auth", "lib/chat"],
  "demo": ["lib/client"],
  "routes": ["lib", "lib/limits", "lib/auth", "lib/chat", "lib/realtime", "lib/services.ts"],
  "workers": [...PORTS, "lib/store", "lib/auth", "lib/chat", "lib/services.ts"],
  "mqtt-bridge": [...PORTS, "lib/store", "lib/auth", "lib/chat", "lib/services.ts"],
};

/** The whole product: no tests, nothing that only tests and measurements use. */
const product = (await sourceFiles(".ts")).filter((path) =>
  !/_test\.ts$|(^|\/)(testing|bench|e2e|faults)\/|contract\.ts$/.test(path)
);
const graph = await readModuleGraph(product);
const edges = product.flatMap((from) =>
  (graph.get(from) ?? []).filter(({ to }) => !to.includes(":")).map((edge) => ({ from, ...edge }))
);

function show(wrong: (Edge & { from: string })[]): string[] {
  return wrong.map(({ from, to }) => `${from} imports ${to}`);
}

Deno.test("imports point one way", strict, () => {
  const wrong = edges.filter(({ from, to }) => {
    const [part, target] = [partOf(from), partOf(to)];
    // Those below have tests of their own
    const elsewhere = part === "lib/client" || part === "routes/page" || from === "main.ts" ||
      COMPOSITION.includes(from) || to === "deno.json";
    return !elsewhere && part !== target && !(MAY_IMPORT[part] ?? []).includes(target);
  });
  assertEquals(show(wrong), []);
});

Deno.test("no module comes back to itself through what it imports", strict, () => {
  const done = new Set<string>();
  const visit = (path: string, way: string[]): void => {
    assert(!way.includes(path), [...way, path].join(" imports "));
    if (done.has(path)) return;
    for (const { to, typeOnly, lazy } of graph.get(path) ?? []) {
      if (!typeOnly && !lazy && graph.has(to)) visit(to, [...way, path]);
    }
    done.add(path);
  };
  for (const path of product) visit(path, []);
});

Deno.test("the SDK imports itself and the types of the wire, no package at all", strict, () => {
  const wrong = product.filter((path) => path.startsWith("lib/client/")).flatMap((from) =>
    (graph.get(from) ?? []).map((edge) => ({ from, ...edge }))
  ).filter(({ to }) => !to.startsWith("lib/client/") && to !== "lib/protocol.ts");
  assertEquals(show(wrong), []);
});

Deno.test("the web client imports itself, the SDK and the types of the wire", strict, () => {
  const wrong = product.filter((path) => path.startsWith("routes/page/")).flatMap((from) =>
    (graph.get(from) ?? []).map((edge) => ({ from, ...edge }))
  ).filter(({ to }) => !/^(routes\/page|lib\/client)\/|^lib\/protocol\.ts$/.test(to));
  assertEquals(show(wrong), []);
});

Deno.test("main.ts alone puts the roles together", strict, () => {
  const roles = /^(routes|workers|mqtt-bridge)\//;
  const wrong = edges.filter(({ from, to }) =>
    from !== "main.ts" && roles.test(to) && to.split("/")[0] !== from.split("/")[0]
  );
  assertEquals(show(wrong), []);
});

Deno.test(
  "the edge entry loads no driver and nothing of the other roles at its start",
  strict,
  () => {
    const loaded = [...loadedAtStart(graph, "main.ts")];
    assert(loaded.includes("routes/web.ts"), "the graph of main.ts was read");
    const packages = loaded.filter((path) => path.startsWith("npm:"))
      .map((path) => path.replace(/^npm:\/?/, "").replace(/(.)@.*$/, "$1")).sort();
    assertEquals([...new Set(packages)], ["@hono/zod-validator", "hono", "jose", "zod"]);
    const lazy =
      /^(mqtt-bridge|workers|bench|testing)\/|^lib\/(redis|client)\/(?!mod\.ts)|embedded/;
    assertEquals(loaded.filter((path) => lazy.test(path)), []);
  },
);
