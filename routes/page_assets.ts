/** One file as browsers get it. */
export interface PageAsset {
  type: string;
  etag: string;
  body: string;
}

const ROOT = new URL("../", import.meta.url);
/** The folders that are public, and what of them. Their relative imports hold below `/assets/`. */
const FOLDERS = [
  { folder: "routes/page/", extensions: ["ts", "css", "svg"] },
  { folder: "lib/client/", extensions: ["ts"] },
];
const FILES = ["lib/protocol.ts"];
const TYPES: Record<string, string> = {
  ts: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  html: "text/html; charset=utf-8",
};

/**
 * The files of the web client. The list is read once and is all that can ever be asked for;
 * TypeScript loses its types at the first request, so that nobody has to run a build.
 */
export class PageAssets {
  #names: Promise<string[]> | undefined;
  #assets = new Map<string, Promise<PageAsset>>();

  /** Paths below the root of the project, such as `lib/client/mod.ts`. */
  names(): Promise<string[]> {
    this.#names ??= listFiles();
    return this.#names;
  }

  /** A file by such a path; undefined when it is not public. */
  async get(name: string): Promise<PageAsset | undefined> {
    if (!(await this.names()).includes(name)) return undefined;
    return await this.#once(name, () => load(name));
  }

  /** The document, which asks for all modules at once instead of one import after the other. */
  document(): Promise<PageAsset> {
    return this.#once("", async () => {
      const modules = (await this.names()).filter((name) => name.endsWith(".ts"));
      const links = modules.map((name) => `<link rel="modulepreload" href="/assets/${name}" />`);
      const html = await Deno.readTextFile(new URL("routes/page/index.html", ROOT));
      return await asset("html", html.replace("<!-- modules -->", links.join("\n    ")));
    });
  }

  #once(name: string, make: () => Promise<PageAsset>): Promise<PageAsset> {
    const known = this.#assets.get(name);
    if (known !== undefined) return known;
    const made = make();
    this.#assets.set(name, made);
    made.catch(() => this.#assets.delete(name));
    return made;
  }
}

async function listFiles(): Promise<string[]> {
  const names = [...FILES];
  for (const { folder, extensions } of FOLDERS) {
    for await (const { name, isFile } of Deno.readDir(new URL(folder, ROOT))) {
      const wanted = extensions.includes(extensionOf(name)) && !name.endsWith("_test.ts");
      if (isFile && wanted) names.push(folder + name);
    }
  }
  return names.sort();
}

async function load(name: string): Promise<PageAsset> {
  const source = await Deno.readTextFile(new URL(name, ROOT));
  const extension = extensionOf(name);
  if (extension !== "ts") return await asset(extension, source);
  const { transformSync } = await import("amaro");
  return await asset(extension, transformSync(source, { mode: "strip-only" }).code);
}

async function asset(extension: string, body: string): Promise<PageAsset> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body));
  const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0"));
  return { type: TYPES[extension]!, etag: `"${hex.join("").slice(0, 32)}"`, body };
}

function extensionOf(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}
