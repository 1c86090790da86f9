import { ConfabClientError, toClientError } from "./errors.ts";

/** One HTTP request of JSON. */
export interface Exchange {
  method: string;
  url: URL;
  body?: object | undefined;
  token?: string | undefined;
  /** Milliseconds before it counts as failed; 15,000 when absent. */
  timeoutMs?: number | undefined;
}

/**
 * Sends one request and returns the parsed body, `undefined` for 204.
 *
 * @throws {ConfabClientError} with the code of the problem document, or `network`, `timeout`,
 * `unexpected_response`
 */
export async function exchange(send: typeof fetch, request: Exchange): Promise<unknown> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (request.token !== undefined) headers.authorization = `Bearer ${request.token}`;
  if (request.body !== undefined) headers["content-type"] = "application/json";
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new DOMException("No answer in time", "TimeoutError")),
    request.timeoutMs ?? 15_000,
  );
  try {
    const response = await send(request.url, {
      method: request.method,
      headers,
      signal: deadline.signal,
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
    const text = await response.text();
    if (response.status === 204) return undefined;
    const body = parse(text);
    if (response.ok && body !== undefined) return body;
    throw problem(response, body);
  } catch (error) {
    throw toClientError(deadline.signal.aborted ? deadline.signal.reason : error);
  } finally {
    clearTimeout(timer);
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null
      ? value as Record<string, unknown>
      : undefined;
  } catch {
    return undefined;
  }
}

function problem(
  response: Response,
  body: Record<string, unknown> | undefined,
): ConfabClientError {
  const { status } = response;
  if (typeof body?.code !== "string") {
    return new ConfabClientError("unexpected_response", `Unexpected answer ${status}`, { status });
  }
  const header = Number(response.headers.get("retry-after") ?? NaN);
  const retryAfter = typeof body.retryAfter === "number" ? body.retryAfter : header;
  return new ConfabClientError(body.code, String(body.detail ?? body.title ?? body.code), {
    status,
    retryAfter: Number.isFinite(retryAfter) ? retryAfter : undefined,
    requestId: typeof body.requestId === "string" ? body.requestId : undefined,
    errors: Array.isArray(body.errors) ? body.errors : undefined,
  });
}
