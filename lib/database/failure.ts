import { DatabaseError, type DatabaseFailure } from "./mod.ts";

/** SQLSTATEs and classes (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const FAILURES: Record<string, DatabaseFailure> = {
  // The connection ended while something ran: connection exceptions and shutdowns.
  "08": "unknown",
  "57P01": "unknown",
  "57P02": "unknown",
  "57P04": "unknown",
  "57P05": "unknown",
  "25P03": "unknown",
  "25P04": "unknown",
  // The server took nothing: starting up, no room, or a standby after a failover.
  "57P03": "unavailable",
  "53": "unavailable",
  "25006": "unavailable",
  // Rolled back for the sake of others; 57014 is our statement_timeout, which ends before commit.
  "55P03": "busy",
  "57014": "busy",
  "40": "busy",
};

/** What a SQLSTATE means for the caller. */
export function failureOf(sqlState: string): DatabaseFailure {
  return FAILURES[sqlState] ?? FAILURES[sqlState.slice(0, 2)] ?? "rejected";
}

/** The error for an answer of the server that carries a SQLSTATE. */
export function refusal(sqlState: string, cause: unknown): DatabaseError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new DatabaseError(failureOf(sqlState), message, sqlState, { cause });
}

/** The SQLSTATE of an error of pg or of Neon's driver, absent when the server did not answer. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}
