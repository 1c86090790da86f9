import { z } from "zod";
import { getDataSchema, setDataSchema } from "../lib/chat/data_schemas.ts";
import { DRAFT_URIS, draftsOf, REFUSED, WORDS } from "../lib/data_schema_words.ts";
import { metadata } from "../lib/entry_schemas.ts";
import { dataSchemaSchema } from "../lib/schemas.ts";
import type { Api } from "./api.ts";
import { idParams } from "./params.ts";

const body = z.strictObject({ schema: dataSchemaSchema.nullable() });
const answer = z.object({
  schema: metadata.nullable().meta({ description: "null: the device may send any data" }),
});
const common = { path: "/v1/devices/{id}/schema", tag: "Devices", access: "signed-in" } as const;

const WORDS_TAKEN = Object.entries(WORDS)
  .map(([name, word]) => {
    const drafts = draftsOf(word);
    return drafts === "all" ? `\`${name}\`` : `\`${name}\` (${drafts})`;
  }).join(", ");

/** What the data of a device's messages must look like. */
export function dataSchemaRoutes(api: Api): void {
  api.add({
    ...common,
    method: "GET",
    name: "getDataSchema",
    summary: "The JSON Schema of a device's data",
    params: idParams,
    responses: { 200: { description: "The schema", schema: answer } },
  }, async ({ context, principal, params }) => ({
    status: 200,
    body: { schema: await getDataSchema(context.chat, principal, params.id) },
  }));
  api.add({
    ...common,
    method: "PUT",
    name: "setDataSchema",
    summary: "Say what the data of a device must look like",
    description: "A JSON Schema of the draft that its `$schema` names: " +
      `${DRAFT_URIS.map((uri) => `\`${uri}\``).join(", ")} (the default). Known are ` +
      `${WORDS_TAKEN}; refused by their name ${REFUSED.map((word) => `\`${word}\``).join(", ")}; ` +
      "other words say nothing. `data` in the device's messages that does not follow it is refused " +
      "with `schema_violation`, and so is what would take more than 20,000 steps (about one for " +
      "each schema that is applied to each value); text is not looked at. null removes it.",
    params: idParams,
    body,
    example: {
      schema: {
        type: "object",
        properties: { celsius: { type: "number" } },
        required: ["celsius"],
      },
    },
    responses: { 200: { description: "The schema as it is now", schema: answer } },
  }, async ({ context, principal, params, body }) => {
    await setDataSchema(context.chat, principal, params.id, body.schema);
    return { status: 200, body: { schema: body.schema } };
  });
}
