import { z } from "zod";
import type { AsyncApi } from "../routes/asyncapi_document.ts";

/**
 * The names of the messages of a channel whose payload, as the document itself describes it in
 * JSON Schema, `value` is.
 */
export function documentedAs(
  document: Pick<AsyncApi, "channels" | "components">,
  channel: string,
): (value: unknown) => string[] {
  const definitions = document.components.schemas;
  const checks = Object.entries(document.channels[channel]!.messages).map(([name, { payload }]) => {
    const text = JSON.stringify({ ...payload, definitions });
    const schema = JSON.parse(text.replaceAll('"#/components/schemas/', '"#/definitions/'));
    return { name, schema: z.fromJSONSchema(schema, { defaultTarget: "draft-7" }) };
  });
  return (value) =>
    checks.filter(({ schema }) => schema.safeParse(value).success).map(({ name }) => name);
}
