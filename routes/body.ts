import type { Context, MiddlewareHandler } from "hono";
import { ConfabError } from "../lib/errors.ts";
import { SIZES } from "../lib/protocol.ts";
import type { AppEnv } from "./context.ts";

/** How long a body may take to arrive: `Deno.serve` waits for ever. */
const ARRIVAL_MS = 10_000;

/**
 * Reads the body before anything parses it: at most `maxBytes`, whether its length was announced
 * or not, in time, valid UTF-8, JSON by its content type (or a form, where `form` allows it).
 * What comes after finds the text in Hono's cache. An empty body counts as `{}`.
 */
export function readBody(
  { form = false, maxBytes = SIZES.bodyBytes }: { form?: boolean; maxBytes?: number } = {},
): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const { headers, body } = c.req.raw;
    if (Number(headers.get("content-length") ?? 0) > maxBytes) throw tooLarge(maxBytes);
    const bytes = body === null ? new Uint8Array() : await readAll(body, maxBytes);
    if (bytes.length === 0) {
      cacheText(c, "{}");
      return await next();
    }
    requireMediaType(headers, form);
    cacheText(c, decode(bytes));
    await next();
  };
}

/** Hono's cache holds promises, although its type says otherwise. */
function cacheText(c: Context<AppEnv>, text: string): void {
  (c.req.bodyCache as { text?: unknown }).text = Promise.resolve(text);
}

/** True when the body is a form. */
export function isForm(headers: Headers): boolean {
  return mediaTypeOf(headers) === "application/x-www-form-urlencoded";
}

function mediaTypeOf(headers: Headers): string {
  return (headers.get("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
}

function requireMediaType(headers: Headers, form: boolean): void {
  if ((headers.get("content-encoding") ?? "identity").toLowerCase() !== "identity") {
    throw new ConfabError("unsupported_media_type", "Send the body without a content encoding");
  }
  if (mediaTypeOf(headers) === "application/json" || form && isForm(headers)) return;
  throw new ConfabError("unsupported_media_type");
}

async function readAll(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const reader = body.getReader();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    reader.cancel().catch(() => {});
  }, ARRIVAL_MS);
  try {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (late) throw new ConfabError("request_timeout");
      if (done) return concat(chunks, length);
      length += value.length;
      if (length > maxBytes) throw tooLarge(maxBytes);
      chunks.push(value);
    }
  } catch (error) {
    // Otherwise the connection stays open after the answer, with the rest of the body stuck in it.
    reader.cancel().catch(() => {});
    if (error instanceof ConfabError) throw error;
    throw new ConfabError("invalid_request", "The body did not arrive whole", { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function concat(chunks: Uint8Array[], length: number): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ConfabError("invalid_utf8");
  }
}

function tooLarge(maxBytes: number): ConfabError {
  return new ConfabError("payload_too_large", `The body is larger than ${maxBytes} bytes`);
}
