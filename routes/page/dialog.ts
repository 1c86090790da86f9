import { element } from "./element.ts";
import { icon } from "./icon.ts";

let count = 0;

/** An open dialog. */
export interface Dialog {
  /** Where its content is. */
  body: HTMLElement;
  close(): void;
}

/** Opens a modal dialog; the focus goes back where it was, or near it, when it closes. */
export function openDialog(title: string, ...content: (Node | string)[]): Dialog {
  const active = document.activeElement;
  const before = active instanceof HTMLElement ? active : undefined;
  const part = before?.closest("section");
  const id = `dialog-${++count}`;
  const body = element("div", { class: "dialog-body" }, ...content);
  const close = element("button", {
    type: "button",
    class: "button button-icon",
    "aria-label": "Close",
    "data-testid": "close-dialog",
    onclick: () => dialog.close(),
  }, icon("close"));
  const dialog = element(
    "dialog",
    { class: "dialog", "aria-labelledby": id },
    element("header", { class: "dialog-header" }, element("h2", { id }, title), close),
    body,
  );
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before?.isConnected) return before.focus();
    // What it was opened from was drawn anew, or is gone
    const same = part?.querySelector<HTMLElement>(`[data-testid="${before?.dataset.testid}"]`);
    (same ?? part?.querySelector<HTMLElement>("button:not([hidden])"))?.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  body.querySelector<HTMLElement>("input, textarea, button")?.focus();
  return { body, close: () => dialog.close() };
}

/** Asks before something that cannot be undone. */
export function askFirst(title: string, text: string, confirm: string, work: () => void): void {
  const button = element("button", {
    type: "button",
    class: "button button-danger",
    "data-testid": "confirm",
    onclick: () => {
      dialog.close();
      work();
    },
  }, confirm);
  const cancel = element("button", {
    type: "button",
    class: "button",
    onclick: () => dialog.close(),
  }, "Cancel");
  const dialog = openDialog(
    title,
    element("p", {}, text),
    element("div", { class: "dialog-actions" }, cancel, button),
  );
}
