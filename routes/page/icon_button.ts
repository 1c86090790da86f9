import { element } from "./element.ts";
import type { IconName } from "./icon.ts";
import { icon } from "./icon.ts";

/** A small button that is only an icon; `label` says what it does. */
export function iconButton(
  name: IconName,
  label: string,
  testid: string,
  run: () => void,
): HTMLButtonElement {
  return element("button", {
    type: "button",
    class: "button button-icon button-small",
    "aria-label": label,
    title: label,
    "data-testid": testid,
    onclick: run,
  }, icon(name));
}
