import { element, fill } from "./element.ts";

/** What a line may become, offered above the field: Tab takes the first, a click any. */
export class CompletionList {
  readonly element = element("ul", {
    class: "completions",
    hidden: true,
    "aria-label": "Completions",
    "data-testid": "completions",
  });
  #take: (line: string) => void;
  #lines: string[] = [];
  #asked = 0;

  constructor(take: (line: string) => void) {
    this.#take = take;
  }

  /** Shows what `find` offers, unless it was asked again meanwhile. */
  async show(find: () => Promise<string[]>): Promise<void> {
    const question = ++this.#asked;
    const lines = await find();
    if (question !== this.#asked) return;
    this.#lines = lines;
    this.element.hidden = lines.length === 0;
    fill(
      this.element,
      ...lines.map((line) =>
        element(
          "li",
          {},
          element("button", {
            type: "button",
            class: "completion",
            "data-testid": "completion",
            onclick: () => this.#take(line),
          }, line),
        )
      ),
    );
  }

  hide(): void {
    this.#asked++;
    this.#lines = [];
    this.element.hidden = true;
  }

  /** Takes the first line; false when none is offered. */
  takeFirst(): boolean {
    const [first] = this.#lines;
    if (first === undefined) return false;
    this.#take(first);
    return true;
  }
}
