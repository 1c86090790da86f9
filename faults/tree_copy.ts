import { dirname } from "node:path";

const ROOT = new URL("../", import.meta.url);

/** A copy of this tree in a temporary folder: what git tracks or would track, without its history. */
export class TreeCopy implements AsyncDisposable {
  private constructor(
    /** With the final slash. */
    readonly root: URL,
  ) {}

  static async make(): Promise<TreeCopy> {
    const { success, stdout } = await new Deno.Command("git", {
      args: ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
      cwd: ROOT,
    }).output();
    if (!success) throw new Error("git ls-files failed: the plants need the repository");
    const files = new TextDecoder().decode(stdout).split("\0").filter((path) => path !== "");
    const folder = await Deno.makeTempDir({ prefix: "confab-plant-" });
    const copy = new TreeCopy(new URL(`file://${folder}/`));
    for (const file of new Set(files)) await copy.#take(file);
    return copy;
  }

  get main(): string {
    return new URL("main.ts", this.root).pathname;
  }

  async #take(file: string): Promise<void> {
    const to = new URL(file, this.root);
    await Deno.mkdir(dirname(to.pathname), { recursive: true });
    await Deno.copyFile(new URL(file, ROOT), to).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // deleted, and still tracked
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.root, { recursive: true });
  }
}
