import { element } from "./element.ts";
import { problemText } from "./problem_text.ts";

const SHOWN_MS = 6000;

/** Says something for a few seconds at the edge of the page, also to screen readers. */
export function notice(text: string, kind: "info" | "problem" = "info"): void {
  const shown = element("p", { class: `notice notice-${kind}` }, text);
  document.getElementById("notices")?.append(shown);
  setTimeout(() => shown.remove(), SHOWN_MS);
}

/** Runs `work` and says what went wrong, if anything; resolves to undefined then. */
export async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    notice(problemText(error), "problem");
    return undefined;
  }
}
