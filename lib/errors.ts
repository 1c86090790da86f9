/**
 * Every error and every close code that Confab shows to its users, in two tables.
 * HTTP renders them as RFC 9457 problem documents, WebSocket and MQTT as `{code, message}`.
 * Codes are stable: programs act on them; the sentences may change.
 */

/** How an error leaves: HTTP status and the sentence shown when none more precise is given. */
interface ErrorKind {
  readonly status: number;
  readonly title: string;
  /** Seconds after which a repeat is sensible; given where waiting helps. */
  readonly retryAfter?: number;
}

/** The one table of public errors. */
export const ERRORS = {
  invalid_json: { status: 400, title: "The body is not valid JSON" },
  invalid_request: { status: 400, title: "The request does not have the expected form" },
  invalid_utf8: { status: 400, title: "The payload is not valid UTF-8" },
  invalid_topic: { status: 400, title: "The topic is not one this client may use" },
  unknown_type: { status: 400, title: "The frame type is not known" },
  invalid_cursor: { status: 400, title: "The cursor was not made by this server" },
  unknown_command: { status: 400, title: "The device does not take this command" },
  schema_violation: { status: 400, title: "The data is not what the device's schema describes" },
  invalid_reply: { status: 400, title: "The message replied to does not exist in this room" },
  unauthenticated: { status: 401, title: "Sign in first" },
  token_expired: { status: 401, title: "The access token has expired" },
  token_invalid: { status: 401, title: "The access token is not valid" },
  ticket_invalid: { status: 401, title: "The ticket is expired, used or not valid" },
  invalid_credentials: { status: 401, title: "The username or password is wrong" },
  refresh_invalid: { status: 401, title: "The refresh token is not valid" },
  refresh_reused: {
    status: 401,
    title: "The refresh token was used before; the session is revoked",
  },
  session_revoked: { status: 401, title: "The session has been revoked" },
  forbidden: { status: 403, title: "You may not do this" },
  origin_not_allowed: { status: 403, title: "This origin may not connect" },
  not_a_member: { status: 403, title: "Join the room first" },
  read_only: { status: 403, title: "Your role in this room may read only" },
  removed: { status: 403, title: "You are no longer a member of this room" },
  not_found: { status: 404, title: "There is nothing here that you may see" },
  not_joined: { status: 409, title: "Join the room on this connection first" },
  method_not_allowed: { status: 405, title: "The method is not allowed here" },
  username_taken: { status: 409, title: "The username is taken" },
  client_id_reused: { status: 409, title: "This clientId was used for another message" },
  epoch_changed: {
    status: 409,
    title: "The cursor does not continue this history; load the room again",
  },
  version_conflict: { status: 409, title: "Somebody else was first; read it again" },
  stale_session: {
    status: 409,
    title: "A newer session was heard of: this one counts for nothing; use one that rises",
  },
  message_deleted: { status: 409, title: "The message was deleted" },
  not_editable: { status: 409, title: "A command cannot be edited; delete it instead" },
  last_owner: { status: 409, title: "A room keeps at least one owner" },
  direct_room: { status: 409, title: "The members of a direct room cannot change" },
  confirmation_required: { status: 409, title: "This command is dangerous: confirm it" },
  device_disabled: { status: 409, title: "The device is disabled" },
  device_read_only: {
    status: 409,
    title: "The device may only read in this room: it could not answer",
  },
  too_many_commands: { status: 409, title: "The device has too many open commands" },
  command_settled: { status: 409, title: "The command was answered, cancelled or has expired" },
  too_many_metrics: { status: 409, title: "The device has as many metrics as it may have" },
  too_many_rooms: { status: 409, title: "Too many rooms are joined on this connection" },
  payload_too_large: { status: 413, title: "The payload is too large" },
  unsupported_media_type: { status: 415, title: "Send application/json" },
  claim_pending: { status: 409, title: "Nobody has approved the device yet", retryAfter: 5 },
  claim_expired: { status: 410, title: "The code has expired or was used; begin again" },
  request_timeout: { status: 408, title: "The body did not arrive in time" },
  upgrade_required: { status: 426, title: "This is a WebSocket endpoint" },
  rate_limited: { status: 429, title: "Too many requests", retryAfter: 1 },
  internal: { status: 500, title: "Something went wrong on our side" },
  unavailable: {
    status: 503,
    title: "A service Confab depends on does not answer",
    retryAfter: 2,
  },
  overloaded: { status: 503, title: "The server has too much to do", retryAfter: 2 },
  restarting: { status: 503, title: "The server is restarting", retryAfter: 1 },
  outcome_unknown: {
    status: 503,
    title: "It is not known whether this was stored; repeat it with the same clientId",
    retryAfter: 1,
  },
} as const satisfies Record<string, ErrorKind>;

/** A stable, public error code. */
export type ErrorCode = keyof typeof ERRORS;

/** What went wrong with one field of a request; `path` is dotted, as in `attachments.0.id`. */
export interface FieldError {
  path: string;
  message: string;
}

/** An error that may be shown to the caller. Anything else leaves as `internal`. */
export class ConfabError extends Error {
  override readonly name = "ConfabError";
  readonly code: ErrorCode;
  readonly status: number;
  /** Seconds. */
  readonly retryAfter: number | undefined;
  readonly errors: FieldError[] | undefined;

  constructor(
    code: ErrorCode,
    detail?: string,
    options: { cause?: unknown; retryAfter?: number; errors?: FieldError[] } = {},
  ) {
    const kind: ErrorKind = ERRORS[code];
    super(detail ?? kind.title, "cause" in options ? { cause: options.cause } : {});
    this.code = code;
    this.status = kind.status;
    this.retryAfter = options.retryAfter ?? kind.retryAfter;
    this.errors = options.errors;
  }
}

/** True for a code of the table: SQL functions answer with codes, which are checked with this. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERRORS, value);
}

/**
 * WebSocket close codes. A client may act on the range alone: 4000–4499 come back with backoff,
 * 4500–4999 stay away until something changed (a new token, another version).
 */
export const CLOSE = {
  slow_consumer: { code: 4008, reason: "Slow consumer" },
  too_many_requests: { code: 4009, reason: "Too many requests" },
  restarting: { code: 4012, reason: "Restarting" },
  overloaded: { code: 4013, reason: "Overloaded" },
  unauthenticated: { code: 4501, reason: "Unauthenticated" },
  forbidden: { code: 4503, reason: "Forbidden" },
  protocol_error: { code: 4504, reason: "Protocol error" },
} as const;

/** The name of a close code. */
export type CloseName = keyof typeof CLOSE;
