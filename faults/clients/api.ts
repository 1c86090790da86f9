import type { Random } from "../random.ts";
import type { NodeHandle } from "../world.ts";

/** A node as clients see it. */
export type Node = Pick<NodeHandle, "name" | "url">;

/** An answer over HTTP; status 0 and the code `no_answer` when there was none. */
export interface Answer {
  status: number;
  /** The code of a problem document, or `no_answer`, or `http_<status>`; empty when all is well. */
  code: string;
  /** Milliseconds that the answer asks to wait. */
  retryAfterMs: number | undefined;
  // deno-lint-ignore no-explicit-any -- plain JSON; what is read from it is checked where it is used
  body: any;
  node: Node;
}

/** A request: `token` is sent as a bearer token, `body` as JSON. */
export interface Request {
  token?: string | undefined;
  body?: unknown;
  timeoutMs?: number;
}

/** Codes after which the same request makes sense again. */
const AGAIN = new Set([
  "unavailable",
  "overloaded",
  "restarting",
  "outcome_unknown",
  "rate_limited",
  "internal",
  "request_timeout",
  "no_answer",
]);
/** Codes after which another token may help. */
const TOKEN = new Set([
  "unauthenticated",
  "token_expired",
  "token_invalid",
  "ticket_invalid",
  "session_revoked",
]);

/** Whether to repeat, get another token first, or take it as final. */
export function verdict(code: string): "again" | "token" | "final" {
  if (AGAIN.has(code) || /^http_5\d\d$/.test(code)) return "again";
  return TOKEN.has(code) ? "token" : "final";
}

/** Plain HTTP to the nodes, each request to one by chance, each with a deadline. */
export class Api {
  constructor(readonly nodes: readonly Node[], readonly random: Random) {}

  /** One node by chance. */
  node(): Node {
    return this.random.pick(this.nodes);
  }

  /** Never rejects. */
  async request(
    method: string,
    path: string,
    { token, body, timeoutMs = 8000 }: Request = {},
    node = this.node(),
  ): Promise<Answer> {
    const controller = new AbortController();
    const late = setTimeout(() => controller.abort(), timeoutMs);
    try {
      const response = await fetch(`${node.url}${path}`, {
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: controller.signal,
      });
      const text = await response.text();
      return answerOf(response, text, node);
    } catch {
      return { status: 0, code: "no_answer", retryAfterMs: undefined, body: undefined, node };
    } finally {
      clearTimeout(late);
    }
  }
}

function answerOf(response: Response, text: string, node: Node): Answer {
  const { status, headers } = response;
  const body = /\bjson\b/.test(headers.get("content-type") ?? "") ? JSON.parse(text) : undefined;
  const code = status < 400 ? "" : typeof body?.code === "string" ? body.code : `http_${status}`;
  const seconds = Number(body?.retryAfter ?? headers.get("retry-after") ?? NaN);
  return {
    status,
    code,
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
    body,
    node,
  };
}
