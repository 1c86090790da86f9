import type { DeviceState, Json, Metadata } from "../../lib/client/mod.ts";
import { toClientError } from "../../lib/client/mod.ts";
import { element, fill } from "./element.ts";
import { problemText } from "./problem_text.ts";

/** Where the state is read again, and changed when it still has a version. */
export interface StateAccess {
  read(): Promise<DeviceState>;
  /** Rejects with `version_conflict` when there is another version by now. */
  put(desired: Metadata, version: number): Promise<DeviceState>;
  /** The same with a merge patch (RFC 7386): what it does not name stays, and null removes. */
  patch(patch: Metadata, version: number): Promise<DeviceState>;
}

/** Edits the desired state as JSON; somebody else's change meanwhile is shown first. */
export function desiredEditor(
  state: DeviceState,
  access: StateAccess,
  close: (changed?: DeviceState) => void,
): HTMLElement {
  let seen = state.desiredVersion;
  const text = element("textarea", {
    class: "input json",
    rows: 6,
    spellcheck: "false",
    "aria-label": "Desired state as JSON",
    "data-testid": "desired-json",
  });
  const whole = pretty(state.desired ?? {});
  text.value = whole;
  const partly = element("input", {
    type: "checkbox",
    "data-testid": "desired-patch",
    onchange: () => {
      // What was typed stays; what was not is what one begins with
      const [before, after] = partly.checked ? [whole, "{}"] : ["{}", whole];
      if (text.value === before) text.value = after;
    },
  });
  const problem = element("p", { class: "problem", role: "alert", "data-testid": "state-problem" });
  const theirs = element("div", { class: "stack" });
  const save = element("button", {
    class: "button button-primary button-small",
    "data-testid": "save-desired",
  }, "Save");
  const showConflict = async () => {
    const present = await access.read();
    seen = present.desiredVersion;
    const who = present.desiredBy?.name ?? "Somebody";
    problem.textContent = `${who} has changed it meanwhile. It is now:`;
    fill(
      theirs,
      element(
        "pre",
        { class: "json", tabindex: 0, "data-testid": "state-conflict" },
        pretty(present.desired ?? {}),
      ),
      element(
        "p",
        { class: "muted" },
        partly.checked ? "Save again to change it so." : "Save again to put yours in its place.",
      ),
    );
  };
  const submit = async () => {
    const desired = readState(text.value);
    if (typeof desired === "string") return void (problem.textContent = desired);
    save.disabled = true;
    problem.textContent = "";
    fill(theirs);
    try {
      close(await (partly.checked ? access.patch(desired, seen) : access.put(desired, seen)));
    } catch (error) {
      problem.textContent = problemText(error);
      if (toClientError(error).code === "version_conflict") await showConflict().catch(() => {});
      save.disabled = false;
    }
  };
  return element(
    "form",
    {
      class: "stack desired-editor",
      onsubmit: (event: SubmitEvent) => {
        event.preventDefault();
        void submit();
      },
    },
    text,
    element(
      "label",
      { class: "desired-patch" },
      partly,
      element("span", {}, "Only change what it names (a merge patch); null removes"),
    ),
    problem,
    theirs,
    element(
      "div",
      { class: "dialog-actions" },
      element("button", {
        type: "button",
        class: "button button-small",
        onclick: () => close(),
      }, "Cancel"),
      save,
    ),
  );
}

/** The object that a text holds, or what is wrong with it. */
export function readState(text: string): Metadata | string {
  try {
    const value: Json = JSON.parse(text);
    const object = typeof value === "object" && value !== null && !Array.isArray(value);
    return object ? value : 'A state is an object, such as {"speed": 3}.';
  } catch (error) {
    return `This is no JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function pretty(value: Json): string {
  return JSON.stringify(value, null, 2);
}
