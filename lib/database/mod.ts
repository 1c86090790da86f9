/** A row as the driver returns it: `int8` is a number, `timestamptz` a Date, `jsonb` parsed. */
export type Row = Record<string, unknown>;

/** Values that every driver can send. An array becomes a Postgres array. */
export type SqlValue =
  | string
  | number
  | boolean
  | null
  | Date
  | (string | number | boolean | null)[];

/** One statement with its parameters (`$1`, `$2`, …). */
export interface Statement {
  text: string;
  values?: SqlValue[];
}

/** Why a statement failed, as far as a caller can act on it. */
export type DatabaseFailure =
  /** Nothing was executed: the same statement may be sent again. */
  | "unavailable"
  /** The connection ended or the deadline passed while the statement ran: it may have committed. */
  | "unknown"
  /**
   * Rolled back because of others: a lock was waited for too long (SQLSTATE 55P03), a deadlock
   * needed a victim (40P01), or the server ended the statement before the deadline (57014).
   */
  | "busy"
  /** The database refused this data (SQLSTATE classes 22, 23 and others): a repeat fails again. */
  | "rejected";

/** The one error that drivers throw. */
export class DatabaseError extends Error {
  override readonly name = "DatabaseError";
  constructor(
    readonly failure: DatabaseFailure,
    message: string,
    /** SQLSTATE, where the server answered. */
    readonly sqlState?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** How a call to the database is bounded. */
export interface QueryOptions {
  /** Milliseconds until the call fails as `unknown`; each driver has a default of 3,000. */
  timeoutMs?: number;
}

/**
 * Postgres 15 to 18, reached in whatever way suits the place. Every call is atomic by itself and
 * ends within its deadline. After a missed deadline the driver does not use that connection again.
 * There are no interactive transactions: what must be atomic is one statement or one SQL function.
 */
export interface Database extends AsyncDisposable {
  /** Calls that run at once, others wait; absent: as many as are made. */
  readonly concurrency?: number;
  /** Runs one statement; an array that bears many rows is read at once. Throws DatabaseError. */
  query<T extends Row = Row>(
    text: string,
    values?: SqlValue[],
    options?: QueryOptions,
  ): Promise<T[]>;
  /** Runs the statements in one transaction, in order. Throws DatabaseError, then nothing is kept. */
  transaction(statements: Statement[], options?: QueryOptions): Promise<Row[][]>;
}
