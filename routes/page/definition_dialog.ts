import type { CommandDefinition } from "../../lib/client/mod.ts";
import { element } from "./element.ts";
import { openFormDialog } from "./form_dialog.ts";
import { choiceField, labelled, numberIn, textField } from "./form_fields.ts";

const ROLES = { member: "Every member", admin: "Admins and owners", owner: "Owners only" };

/** What the dialog begins with, and where its definition goes. */
export interface DefinitionDialog {
  device: string;
  /** The one that is changed. */
  definition?: CommandDefinition;
  /** The device takes every command so far. */
  takesAny: boolean;
  save(definition: CommandDefinition): Promise<void>;
}

/** Asks for a command that a device takes. */
export function openDefinitionDialog(
  { device, definition, takesAny, save }: DefinitionDialog,
): void {
  const { name = "", description = "", minRole = "member", timeoutSeconds, args = {} } =
    definition ?? {};
  const text = element("textarea", {
    class: "input json",
    name: "args",
    rows: 3,
    spellcheck: "false",
    placeholder: "speed: 1 to 5",
  });
  text.value = Object.entries(args).map(([arg, hint]) => `${arg}: ${hint}`).join("\n");
  openFormDialog({
    title: definition === undefined
      ? `Add a command of ${device}`
      : `Change a command of ${device}`,
    submit: "Save",
    testid: "save-definition",
    aliases: { commands: "name" },
    parts: [
      takesAny && element(
        "p",
        { class: "callout" },
        "It takes every command now. From the first one that you add on, others are refused.",
      ),
      textField("Name", "name", {
        value: name,
        autocapitalize: "none",
        spellcheck: "false",
        placeholder: "start",
      }),
      textField("What it does", "description", { value: description }, "(optional)"),
      labelled("Arguments", text, "(optional, one a line with a sentence about it)"),
      element(
        "div",
        { class: "field-pair" },
        choiceField("Who may send it", "minRole", ROLES, minRole),
        textField("Seconds it may take", "timeoutSeconds", {
          inputmode: "numeric",
          placeholder: "30",
          value: timeoutSeconds === undefined ? "" : String(timeoutSeconds),
        }),
      ),
      element(
        "label",
        { class: "choice" },
        element("input", {
          type: "checkbox",
          name: "dangerous",
          checked: definition?.dangerous ?? false,
        }),
        element(
          "span",
          {},
          "Dangerous",
          element("span", { class: "muted" }, "Whoever sends it is asked to confirm it."),
        ),
      ),
    ],
    save: (data) => save(readDefinition(data)),
  });
}

/** The definition that was filled in. */
export function readDefinition(data: FormData): CommandDefinition {
  const text = (name: string) => String(data.get(name) ?? "").trim();
  const description = text("description");
  const minRole = text("minRole") as keyof typeof ROLES;
  const timeoutSeconds = numberIn(data, "timeoutSeconds");
  const args = readArguments(text("args"));
  return {
    name: text("name"),
    ...(description === "" ? {} : { description }),
    ...(Object.keys(args).length === 0 ? {} : { args }),
    ...(minRole === "member" ? {} : { minRole }),
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    ...(data.has("dangerous") ? { dangerous: true } : {}),
  };
}

/** `speed: 1 to 5` in each line; the sentence may be missing. */
function readArguments(text: string): Record<string, string> {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return Object.fromEntries(lines.map((line) => {
    const [, name, hint] = /^([^:]*)(?::(.*))?$/.exec(line) ?? [];
    return [(name ?? line).trim(), (hint ?? "").trim()];
  }));
}
