/** One import of a module; `to` is a path in the repository or a specifier such as `npm:/zod@4`. */
export interface Edge {
  to: string;
  /** `import()`, which the program reaches only when it comes there. */
  lazy: boolean;
  /** `import type`, of which nothing is left when the program runs. */
  typeOnly: boolean;
}

/** Every module by its path in the repository, with what it imports. */
export type ModuleGraph = ReadonlyMap<string, Edge[]>;

/** The root of the repository, with the final slash. */
export const ROOT: string = new URL("../", import.meta.url).href;

/** The part of `deno info --json` that is read here. */
interface Info {
  modules: {
    specifier: string;
    error?: string;
    dependencies?: {
      specifier: string;
      isDynamic?: boolean;
      code?: { specifier?: string; error?: string };
      type?: { specifier?: string; error?: string };
    }[];
  }[];
}

/** Asks Deno for the graph of the modules at `paths` and all that they import. */
export async function readModuleGraph(paths: string[]): Promise<ModuleGraph> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const lines = paths.map((path) => `import ${JSON.stringify(new URL(path, ROOT).href)};`);
    await Deno.writeTextFile(file, lines.join("\n"));
    const config = new URL("deno.json", ROOT).pathname;
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--no-lock", "--config", config, file],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return graphOf(JSON.parse(new TextDecoder().decode(stdout)));
  } finally {
    await Deno.remove(file);
  }
}

function graphOf({ modules }: Info): ModuleGraph {
  const graph = new Map<string, Edge[]>();
  for (const { specifier, error, dependencies = [] } of modules) {
    // What cannot be loaded is the business of the type check
    if (!specifier.startsWith(ROOT) || error !== undefined) continue;
    graph.set(
      pathOf(specifier),
      dependencies.map(({ specifier: written, isDynamic, code, type }) => ({
        to: pathOf((code ?? type)?.specifier ?? written),
        lazy: isDynamic === true,
        typeOnly: code === undefined,
      })),
    );
  }
  return graph;
}

function pathOf(specifier: string): string {
  return specifier.startsWith(ROOT) ? specifier.slice(ROOT.length) : specifier;
}

/** What a program loads before its first line runs: no types, nothing lazy. */
export function loadedAtStart(graph: ModuleGraph, entry: string): Set<string> {
  const seen = new Set([entry]);
  for (const path of seen) {
    for (const { to, lazy, typeOnly } of graph.get(path) ?? []) {
      if (!lazy && !typeOnly) seen.add(to);
    }
  }
  return seen;
}

/** The project's own files with one of these endings, as paths, sorted. */
export async function sourceFiles(...endings: string[]): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: string) => {
    for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
      if (isDirectory) {
        const hidden = name.startsWith(".") && name !== ".github" && name !== ".ci";
        if (!hidden && name !== "node_modules") await walk(`${folder}${name}/`);
      } else if (endings.some((ending) => name.endsWith(ending))) {
        found.push(`${folder}${name}`.slice(2));
      }
    }
  };
  await walk("./");
  return found.sort();
}
