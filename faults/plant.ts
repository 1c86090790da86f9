/** A bug that is planted in a copy of the tree, to see that the suite finds it. */
export interface Plant {
  name: string;
  /** The promise that it breaks, in one sentence. */
  promise: string;
  /** What to change; each `find` occurs exactly once in its file. */
  edits: readonly Edit[];
  /** The directed scenario that shows it; without the bug the same one passes. */
  scenario: string;
  /** The checks of which one must complain. */
  expected: readonly string[];
}

/** A textual change of one file of the product. */
export interface Edit {
  file: string;
  find: string;
  replace: string;
}

/** Applies an edit to a file's text; throws when `find` is not there exactly once. */
export function edited(text: string, { file, find, replace }: Edit): string {
  const parts = text.split(find);
  if (parts.length === 2) return parts.join(replace);
  throw new Error(`${parts.length - 1} places in ${file} have: ${find}`);
}

/** Applies the edits of a plant below `root`, a folder with the final slash. */
export async function plantIn(root: URL, { edits }: Plant): Promise<void> {
  for (const edit of edits) {
    const url = new URL(edit.file, root);
    await Deno.writeTextFile(url, edited(await Deno.readTextFile(url), edit));
  }
}
