import { toClientError } from "../../lib/client/mod.ts";
import { element } from "./element.ts";
import { problemText } from "./problem_text.ts";

/** What a form reads by its name. */
export type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

/** Names of controls for errors whose path has none, such as `{ rules: "id" }`. */
export type Aliases = Record<string, string>;

let count = 0;

/** A control below its label, above what is wrong with it; see showProblem(). */
export function labelled(label: string, control: Control, hint?: string): HTMLElement {
  const id = `field-${++count}`;
  control.id = id;
  control.setAttribute("aria-describedby", `${id}-problem`);
  return element(
    "div",
    { class: "field" },
    element(
      "label",
      { for: id },
      label,
      hint !== undefined && element("span", { class: "muted" }, ` ${hint}`),
    ),
    control,
    element("p", {
      class: "problem",
      id: `${id}-problem`,
      role: "alert",
      "data-problem": control.name,
    }),
  );
}

/** A line of text. */
export function textField(
  label: string,
  name: string,
  attributes: Record<string, string> = {},
  hint?: string,
): HTMLElement {
  const input = element("input", { class: "input", name, autocomplete: "off", ...attributes });
  return labelled(label, input, hint);
}

/** One of several values, by what is shown for each. */
export function choiceField(
  label: string,
  name: string,
  choices: Record<string, string>,
  chosen: string,
): HTMLElement {
  const options = Object.entries(choices).map(([value, text]) =>
    element("option", { value, selected: value === chosen }, text)
  );
  return labelled(label, element("select", { class: "input", name }, ...options));
}

/** Where a form says what is wrong with none of its fields. */
export function formProblem(): HTMLElement {
  return element("p", {
    class: "problem",
    role: "alert",
    "data-problem": "",
    "data-testid": "form-problem",
  });
}

/** Takes away what showProblem() showed. */
export function clearProblems(form: HTMLFormElement): void {
  for (const shown of form.querySelectorAll("[data-problem]")) shown.textContent = "";
  for (const wrong of form.querySelectorAll("[aria-invalid]")) {
    wrong.removeAttribute("aria-invalid");
  }
}

/**
 * Shows an error beside the fields that it names, with its code, and goes to the first of them;
 * below the form when it names none.
 */
export function showProblem(form: HTMLFormElement, error: unknown, aliases: Aliases = {}): void {
  clearProblems(form);
  const { code, errors } = toClientError(error);
  const left = errors.filter((each) => {
    const name = controlFor(each.path, (name) => named(form, name) !== undefined, aliases);
    const place = name === undefined ? undefined : named(form, name);
    if (place === undefined) return true;
    const last = each.path.split(".").at(-1);
    const text = last === name ? each.message : `${each.path} ${each.message}`;
    place.append(element("span", {}, `${text} `), element("code", {}, code));
    form.querySelector(`[name="${name}"]`)?.setAttribute("aria-invalid", "true");
    return false;
  });
  const general = form.querySelector("[data-problem='']");
  if (general !== null && errors.length === 0) general.textContent = problemText(error);
  else if (general !== null && left[0] !== undefined) {
    general.textContent = `${left[0].path} ${left[0].message}`;
  }
  form.querySelector<HTMLElement>("[aria-invalid]")?.focus();
}

/** Which control the path of an error, such as `rules.2.threshold`, is about. */
export function controlFor(
  path: string,
  exists: (name: string) => boolean,
  aliases: Aliases = {},
): string | undefined {
  const parts = path.split(".").reverse();
  const name = parts.find((part) => /^\w+$/.test(part) && exists(part));
  if (name !== undefined) return name;
  return Object.entries(aliases).find(([part]) => parts.includes(part))?.[1];
}

/** Numbers as such; undefined for nothing; other text as it is, for the server to judge. */
export function numberIn(data: FormData, name: string): number | undefined {
  const text = String(data.get(name) ?? "").trim();
  if (text === "") return undefined;
  const number = Number(text);
  return Number.isFinite(number) ? number : text as unknown as number;
}

function named(form: HTMLFormElement, name: string): HTMLElement | undefined {
  return form.querySelector<HTMLElement>(`[data-problem="${name}"]`) ?? undefined;
}
