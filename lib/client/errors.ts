/**
 * Codes made by the SDK itself, beside those of the server:
 * `network` (no answer at all), `timeout` (none in time), `disconnected` (the connection ended
 * first), `closed` (the client was closed), `outbox_full`, `discarded`, `invalid_command_line` (a line
 * that is no command), `unexpected_response` (an answer that Confab would not give, such as a proxy's
 * page).
 */
export type ClientCode =
  | "network"
  | "timeout"
  | "disconnected"
  | "closed"
  | "outbox_full"
  | "discarded"
  | "invalid_command_line"
  | "unexpected_response";

const TRANSIENT = new Set([
  "rate_limited",
  "unavailable",
  "overloaded",
  "restarting",
  "outcome_unknown",
  "request_timeout",
  "internal",
  "network",
  "timeout",
  "disconnected",
  "unexpected_response",
]);

/** What went wrong, with a stable `code` of the server's error table or a {@link ClientCode}. */
export class ConfabClientError extends Error {
  override readonly name = "ConfabClientError";
  readonly code: string;
  /** HTTP status; 0 when the error did not come in an HTTP answer. */
  readonly status: number;
  /** Seconds after which a repeat is sensible. */
  readonly retryAfter: number | undefined;
  /** For the operator's logs. */
  readonly requestId: string | undefined;
  /** What was wrong with which field of the request. */
  readonly errors: { path: string; message: string }[];

  constructor(code: string, message: string, options: {
    status?: number | undefined;
    retryAfter?: number | undefined;
    requestId?: string | undefined;
    errors?: { path: string; message: string }[] | undefined;
    cause?: unknown;
  } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? 0;
    this.retryAfter = options.retryAfter;
    this.requestId = options.requestId;
    this.errors = options.errors ?? [];
  }

  /** True when the same request may succeed later without any change. */
  get transient(): boolean {
    return TRANSIENT.has(this.code) || this.status === 429 || this.status >= 500;
  }
}

/** Anything thrown, as a {@link ConfabClientError}; unknown errors count as `network`. */
export function toClientError(error: unknown): ConfabClientError {
  if (error instanceof ConfabClientError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const timedOut = error instanceof DOMException && error.name === "TimeoutError";
  return new ConfabClientError(timedOut ? "timeout" : "network", message, { cause: error });
}
