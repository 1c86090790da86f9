import { assert, assertEquals } from "@std/assert";
import { type Definition, errorCodesOf } from "../routes/endpoint.ts";
import { problem } from "../routes/responses.ts";
import type { TestAnswer } from "./app.ts";

/**
 * Fails when an answer is not what the document says about its endpoint: a status or an error
 * code that is not declared, a body that does not fit its schema or has a field more.
 */
export function checkDocumented(
  endpoints: readonly Definition[],
  method: string,
  path: string,
  answer: TestAnswer,
): void {
  const { status, headers, body, text } = answer;
  const what = `${method} ${path} answered ${status}: ${text.slice(0, 500)}`;
  const endpoint = endpointFor(endpoints, method, path);
  const outcome = endpoint?.responses[status];
  if (outcome !== undefined) {
    if (outcome.schema === undefined) return;
    const parsed = outcome.schema.safeParse(body);
    assert(parsed.success, `${what}\n${parsed.error?.message}`);
    assertEquals(parsed.data, body, `${what}\nhas a field that is not documented`);
    return;
  }
  assertEquals(headers.get("content-type"), "application/problem+json", what);
  const { code, requestId } = problem.parse(body);
  assertEquals(requestId, headers.get("x-request-id"), what);
  assertEquals(body.status, status, what);
  const documented = endpoint === undefined
    ? ["not_found", "method_not_allowed", "rate_limited"]
    : errorCodesOf(endpoint);
  assert((documented as string[]).includes(code), `${what}\nis not a documented error`);
}

function endpointFor(
  endpoints: readonly Definition[],
  method: string,
  path: string,
): Definition | undefined {
  const { pathname } = new URL(path, "http://localhost");
  return endpoints.find((endpoint) => {
    const pattern = endpoint.path.replace(/[.]/g, "\\.").replace(/\{\w+\}/g, "[^/]+");
    return endpoint.method === method && new RegExp(`^${pattern}$`).test(pathname);
  });
}
