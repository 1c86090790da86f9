import { openDialog } from "./dialog.ts";
import { element, fill } from "./element.ts";
import type { Aliases } from "./form_fields.ts";
import { clearProblems, formProblem, showProblem } from "./form_fields.ts";

/** A form in a dialog. */
export interface FormDialog {
  title: string;
  parts: (HTMLElement | false)[];
  /** What its button says. */
  submit: string;
  testid: string;
  aliases?: Aliases;
  /**
   * Does what was filled in; what it rejects with is shown, and everything stays as it was typed.
   * What it resolves to takes the place of the form; nothing closes the dialog.
   */
  save(data: FormData): Promise<(HTMLElement | false)[] | void>;
}

/** Opens a dialog with a form; returns the form. */
export function openFormDialog(
  { title, parts, submit, testid, aliases, save }: FormDialog,
): HTMLFormElement {
  const button = element("button", {
    class: "button button-primary",
    "data-testid": testid,
  }, submit);
  const cancel = element("button", {
    type: "button",
    class: "button",
    onclick: () => dialog.close(),
  }, "Cancel");
  const form = element(
    "form",
    { class: "stack", novalidate: true },
    ...parts,
    formProblem(),
    element("div", { class: "dialog-actions" }, cancel, button),
  );
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    clearProblems(form);
    try {
      const then = await save(new FormData(form));
      if (then === undefined) return dialog.close();
      fill(dialog.body, ...then);
      dialog.body.querySelector<HTMLElement>("button")?.focus();
    } catch (error) {
      showProblem(form, error, aliases);
    } finally {
      button.disabled = false;
    }
  };
  const dialog = openDialog(title, form);
  dialog.body.querySelector<HTMLElement>("input, select, textarea")?.focus();
  return form;
}
