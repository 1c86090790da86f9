import { element, fill } from "./element.ts";
import { problemText } from "./problem_text.ts";

const TYPING_MS = 250;

/** A search field with its results below; `find` is asked again while one types. */
export function searchList<Item>(options: {
  label: string;
  testid: string;
  /** Said instead of results when there are none. */
  empty: string;
  /** Nothing is asked for shorter queries. */
  minChars: number;
  find(query: string): Promise<Item[]>;
  show(item: Item): HTMLElement;
}): HTMLElement {
  const results = element("ul", { class: "results" });
  const status = element("p", { class: "muted", role: "status" });
  let asked = 0;
  const search = async (query: string) => {
    const question = ++asked;
    if (query.length < options.minChars) {
      fill(results);
      status.textContent = "";
      return;
    }
    try {
      const items = await options.find(query);
      if (question !== asked) return;
      fill(results, ...items.map((item) => element("li", {}, options.show(item))));
      status.textContent = items.length === 0 ? options.empty : "";
    } catch (error) {
      if (question === asked) status.textContent = problemText(error);
    }
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const input = element("input", {
    class: "input",
    type: "search",
    autocomplete: "off",
    "data-testid": options.testid,
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => void search(input.value.trim()), TYPING_MS);
    },
  });
  void search("");
  return element(
    "div",
    { class: "stack" },
    element("label", { class: "field" }, element("span", {}, options.label), input),
    status,
    results,
  );
}
