import type { z } from "zod";
import project from "../deno.json" with { type: "json" };
import { type ErrorCode, ERRORS } from "../lib/errors.ts";
import { type Definition, errorCodesOf, TAGS, takesBody } from "./endpoint.ts";
import { type JsonSchema, JsonSchemas } from "./json_schemas.ts";
import { problem } from "./responses.ts";

/** The parts of an OpenAPI 3.1 document that are written here. */
export interface OpenApi {
  openapi: string;
  info: { title: string; version: string; description: string; license: { name: string } };
  servers: { url: string }[];
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: {
    schemas: Record<string, JsonSchema>;
    securitySchemes: Record<string, Record<string, string>>;
  };
}

/** One endpoint of the document. */
export interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  security: Record<string, string[]>[];
  parameters?: Parameter[];
  requestBody?: { required: boolean; content: Record<string, Content> };
  responses: Record<string, { description: string; content?: Record<string, Content> }>;
}

/** A parameter of the path or the query. */
export interface Parameter {
  name: string;
  in: "path" | "query";
  required: boolean;
  schema: JsonSchema;
}

/** A body of one media type. */
export interface Content {
  schema: JsonSchema;
  example?: unknown;
}

const ABOUT = "A chat backend for people and devices. Every room is one durable, ordered log. " +
  "Errors are problem documents (RFC 9457) whose `code` is stable. Ids are UUIDs, times are RFC " +
  "3339 in UTC, unknown request fields are refused, and what the caller may not see is 404. " +
  "Clients ignore fields that they do not know.";

/** The OpenAPI 3.1 document of the endpoints, made from the schemas that validate them. */
export function openApiOf(endpoints: readonly Definition[], serverUrl = "/"): OpenApi {
  const components = new JsonSchemas("draft-2020-12");
  const paths: OpenApi["paths"] = {};
  for (const endpoint of endpoints) {
    const path = paths[endpoint.path] ??= {};
    path[endpoint.method.toLowerCase()] = operationOf(endpoint, components);
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Confab",
      version: project.version,
      description: ABOUT,
      license: { name: project.license },
    },
    servers: [{ url: serverUrl }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: components.schemas,
      securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
    },
  };
}

function operationOf(endpoint: Definition, components: JsonSchemas): Operation {
  const { name, tag, summary, description, access } = endpoint;
  const parameters = [
    ...parametersOf(endpoint.params, "path", components),
    ...parametersOf(endpoint.query, "query", components),
  ];
  return {
    operationId: name,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: access === "signed-in" ? [{ bearer: [] }] : [],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...requestBodyOf(endpoint, components),
    responses: { ...successesOf(endpoint, components), ...failuresOf(endpoint, components) },
  };
}

function parametersOf(
  schema: z.ZodType | undefined,
  place: "path" | "query",
  components: JsonSchemas,
): Parameter[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = components.of(schema, "output") as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: required.includes(name) && !("default" in property),
    schema: property,
  }));
}

function requestBodyOf(endpoint: Definition, components: JsonSchemas) {
  const { body, form, example } = endpoint;
  if (body === undefined || !takesBody(endpoint)) return {};
  const schema = components.of(body, "input");
  const content = { schema, ...(example === undefined ? {} : { example }) };
  return {
    requestBody: {
      required: !body.safeParse({}).success,
      content: {
        "application/json": content,
        ...(form === true ? { "application/x-www-form-urlencoded": content } : {}),
      },
    },
  };
}

function successesOf({ responses }: Definition, components: JsonSchemas): Operation["responses"] {
  return Object.fromEntries(
    Object.entries(responses).map(([status, { description, schema, mediaType }]) => {
      if (schema !== undefined) {
        const content = { "application/json": { schema: components.of(schema, "input") } };
        return [status, { description, content }];
      }
      const content = mediaType === undefined ? {} : { content: { [mediaType]: { schema: {} } } };
      return [status, { description, ...content }];
    }),
  );
}

function failuresOf(endpoint: Definition, components: JsonSchemas): Operation["responses"] {
  const { $ref } = components.of(problem, "input");
  const byStatus = Map.groupBy(errorCodesOf(endpoint), (code) => ERRORS[code].status);
  const shown: Operation["responses"] = {};
  for (const [status, codes] of [...byStatus].sort(([a], [b]) => a - b)) {
    if (endpoint.responses[status] !== undefined) continue;
    const schema = { allOf: [{ $ref }, { properties: { code: { enum: codes } } }] };
    const content = { "application/problem+json": { schema } };
    shown[status] = { description: codes.map(sentenceOf).join("; "), content };
  }
  return shown;
}

function sentenceOf(code: ErrorCode): string {
  return `\`${code}\`: ${ERRORS[code].title}`;
}
