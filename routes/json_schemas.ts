import { z } from "zod";

/** A JSON Schema. */
export interface JsonSchema {
  [keyword: string]: unknown;
}

/** Draft 2020-12 is what OpenAPI 3.1 embeds, draft 7 what AsyncAPI 3.0 does. */
type Draft = "draft-2020-12" | "draft-7";

/** Turns Zod schemas into JSON Schemas, and collects those that have a name of their own. */
export class JsonSchemas {
  /** What goes to `#/components/schemas/` of the document. */
  readonly schemas: Record<string, JsonSchema> = {};

  constructor(private readonly draft: Draft) {}

  /** The schema as JSON, with references in place of the named ones. */
  of(schema: z.ZodType, io: "input" | "output"): JsonSchema {
    const target = this.draft;
    const { $schema: _, $defs, definitions, ...root } = z.toJSONSchema(schema, {
      io,
      target,
      unrepresentable: "any",
    });
    for (const [name, definition] of Object.entries($defs ?? definitions ?? {})) {
      const { id: _id, ...shown } = referring(definition) as JsonSchema;
      this.schemas[name] ??= shown;
    }
    return referring(root) as JsonSchema;
  }

  /** Keeps the schema under a name and returns the reference to it. */
  named(name: string, schema: z.ZodType, io: "input" | "output"): { $ref: string } {
    this.schemas[name] ??= this.of(schema, io);
    return { $ref: `#/components/schemas/${name}` };
  }
}

/** The same JSON with references to where the document keeps its schemas. */
function referring(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(referring);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === "$ref" && typeof inner === "string"
        ? inner.replace(/^#\/(\$defs|definitions)\//, "#/components/schemas/")
        : referring(inner),
    ]),
  );
}
