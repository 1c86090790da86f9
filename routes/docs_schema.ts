import { html, raw } from "hono/html";
import type { JsonSchema } from "./json_schemas.ts";

/** Markup that is safe to put into a page: everything in it has been escaped. */
export type Markup = ReturnType<typeof html>;

const COMPONENTS = "#/components/schemas/";

/** Puts pieces of markup one after the other. */
export function join(pieces: (Markup | string)[], separator = ""): Markup {
  return html`${pieces.map((piece, i) => i === 0 ? piece : html`${raw(separator)}${piece}`)}`;
}

/** What a JSON Schema accepts, in a few words; named schemas become links. */
export function typeOf(schema: JsonSchema): Markup {
  const { $ref, type, format, items, anyOf, oneOf, allOf } = schema as {
    $ref?: string;
    type?: string;
    format?: string;
    items?: JsonSchema;
    anyOf?: JsonSchema[];
    oneOf?: JsonSchema[];
    allOf?: JsonSchema[];
  };
  if ($ref !== undefined) {
    const name = $ref.slice(COMPONENTS.length);
    return html`<a href="#schema-${name}">${name}</a>`;
  }
  if (allOf !== undefined) return typeOf(allOf[0]!);
  const options = anyOf ?? oneOf;
  if (options !== undefined) return join(options.map(typeOf), " or ");
  if ("const" in schema) return html`<code>${JSON.stringify(schema.const)}</code>`;
  if (Array.isArray(schema.enum)) {
    return join(schema.enum.map((value) => html`<code>${JSON.stringify(value)}</code>`), " | ");
  }
  if (type === "array") return html`list of ${typeOf(items ?? {})}`;
  if (type === undefined) return html`any JSON`;
  return html`${type}${format === undefined ? "" : ` (${format})`}${boundsOf(schema)}`;
}

function boundsOf(schema: JsonSchema): string {
  const parts: string[] = [];
  const between = (low: unknown, high: unknown, unit: string) => {
    if (low === undefined && high === undefined) return;
    if (high === Number.MAX_SAFE_INTEGER) parts.push(`from ${low}`);
    else parts.push(`${low ?? 0} to ${high ?? "any"}${unit}`);
  };
  between(schema.minimum, schema.maximum, "");
  between(schema.minLength, schema.maxLength, " characters");
  if (schema.pattern !== undefined && schema.format === undefined) {
    parts.push(`pattern ${schema.pattern}`);
  }
  if (schema.default !== undefined) parts.push(`default ${JSON.stringify(schema.default)}`);
  return parts.length === 0 ? "" : `, ${parts.join(", ")}`;
}

/** A schema as its type, and for objects as a table of their fields. */
export function schemaMarkup(schema: JsonSchema): Markup {
  const options = (schema.oneOf ?? schema.anyOf) as JsonSchema[] | undefined;
  if (options?.some((option) => option.properties !== undefined) === true) {
    return join(options.map((option) => schemaMarkup(option)), "<p>or</p>");
  }
  const properties = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>);
  if (properties.length === 0) return html`<p>${typeOf(schema)}</p>`;
  const required = (schema.required ?? []) as string[];
  return html`
    <table>
      <thead>
        <tr>
          <th scope="col">Field</th>
          <th scope="col">Type</th>
          <th scope="col"></th>
        </tr>
      </thead>
      <tbody>${properties.map(([name, property]) =>
        row(name, property, required.includes(name))
      )}</tbody>
    </table>
  `;
}

/** One row of a table of fields. */
export function row(name: string, schema: JsonSchema, required: boolean): Markup {
  const nested = schema.properties === undefined ? typeOf(schema) : schemaMarkup(schema);
  const about = [required ? "" : "optional", String(schema.description ?? "")];
  return html`
    <tr>
      <td><code>${name}</code></td>
      <td>${nested}</td>
      <td>${about.filter((text) => text !== "").join("; ")}</td>
    </tr>
  `;
}
