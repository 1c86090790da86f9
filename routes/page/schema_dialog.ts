import type { Metadata } from "../../lib/client/mod.ts";
import { ConfabClientError } from "../../lib/client/mod.ts";
import { readState } from "./desired_editor.ts";
import { element } from "./element.ts";
import { openFormDialog } from "./form_dialog.ts";
import { labelled } from "./form_fields.ts";

const EXAMPLE = {
  type: "object",
  properties: { celsius: { type: "number" } },
  required: ["celsius"],
};

/** What the dialog begins with, and where the schema goes; null: any data. */
export interface SchemaDialog {
  device: string;
  schema: Metadata | null;
  save(schema: Metadata | null): Promise<void>;
}

/** Edits the JSON Schema of a device's data. */
export function openSchemaDialog({ device, schema, save }: SchemaDialog): void {
  const text = element("textarea", {
    class: "input json",
    name: "schema",
    rows: 12,
    spellcheck: "false",
    placeholder: JSON.stringify(EXAMPLE, null, 2),
    "data-testid": "schema-json",
  });
  text.value = schema === null ? "" : JSON.stringify(schema, null, 2);
  openFormDialog({
    title: `What the data of ${device} looks like`,
    submit: "Save",
    testid: "save-schema",
    parts: [
      element(
        "p",
        { class: "muted" },
        "Data in its messages that does not follow this JSON Schema is refused. Leave it empty for " +
          "any data.",
      ),
      labelled("JSON Schema", text),
    ],
    save: (data) => save(readSchema(String(data.get("schema") ?? ""))),
  });
}

/** The schema that a text holds; null for an empty one. Throws `invalid_request` like the server. */
export function readSchema(text: string): Metadata | null {
  if (text.trim() === "") return null;
  const read = readState(text);
  if (typeof read !== "string") return read;
  const message = read.startsWith("A state") ? "A schema is an object." : read;
  throw new ConfabClientError("invalid_request", message, {
    errors: [{ path: "schema", message }],
  });
}
