import { DatabaseError } from "../database/mod.ts";
import { ConfabError, isErrorCode } from "../errors.ts";

/** Throws the error of the table that a SQL function named; `ok` and `duplicate` pass. */
export function refuseUnlessDone(outcome: string): void {
  if (outcome === "ok" || outcome === "duplicate" || outcome === "created") return;
  if (isErrorCode(outcome)) throw new ConfabError(outcome);
  throw new TypeError(`The database answered with the unknown outcome "${outcome}"`);
}

/**
 * The public error of a failed statement; what is not the database's is returned as it is. A lost
 * answer is `outcome_unknown`, or `unavailable` where nothing was written (`readsOnly`).
 */
export function publicError(error: unknown, readsOnly = false): unknown {
  if (!(error instanceof DatabaseError)) return error;
  switch (error.failure) {
    case "unavailable":
    case "busy":
      return new ConfabError("unavailable", undefined, { cause: error });
    case "unknown":
      return new ConfabError(readsOnly ? "unavailable" : "outcome_unknown", undefined, {
        cause: error,
      });
    case "rejected":
      return new ConfabError("internal", undefined, { cause: error });
  }
}

/**
 * What a committed change is answered with. When that cannot be read, the change stands all the
 * same: `outcome_unknown`, never `unavailable`, which says that nothing was stored.
 */
export async function afterCommit<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    throw new ConfabError("outcome_unknown", undefined, { cause: error });
  }
}
