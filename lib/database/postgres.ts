import type { Log } from "../log.ts";
import { toParameters } from "./column_types.ts";
import type { Connection } from "./connection.ts";
import { Connections } from "./connections.ts";
import { failureOf, refusal, sqlStateOf } from "./failure.ts";
import {
  type Database,
  DatabaseError,
  type QueryOptions,
  type Row,
  type SqlValue,
  type Statement,
} from "./mod.ts";
import { PreparedNames } from "./prepared_names.ts";

/** The deadline of a call, in milliseconds; it includes waiting for a connection. */
const DEADLINE_MS = 3000;
/** How much earlier the server gives up by itself, so that a slow statement has a known outcome. */
const MARGIN_MS = 250;
const LOCK_TIMEOUT_MS = 1000;

/** Options of openPostgres(). */
export interface PostgresOptions {
  /** Connections at once; 10 by default. */
  maxConnections?: number;
  /** Told when connections are replaced. */
  log?: Log;
}

/**
 * Postgres over TCP with npm:pg. Connections open when needed. Parameters in `url` win over the
 * session's settings made here (`lock_timeout`, `statement_timeout`). A pooler in between must
 * pool whole sessions and pass these startup parameters on.
 */
export function openPostgres(url: string, options: PostgresOptions = {}): Database {
  return new PostgresDatabase(url, options);
}

class PostgresDatabase implements Database {
  readonly concurrency: number;
  readonly #connections: Connections;
  readonly #names = new PreparedNames();
  readonly #log: Log | undefined;

  constructor(url: string, { maxConnections = 10, log }: PostgresOptions) {
    this.#log = log;
    this.concurrency = maxConnections;
    this.#connections = new Connections({
      url,
      connectTimeoutMs: DEADLINE_MS,
      lockTimeoutMs: LOCK_TIMEOUT_MS,
      statementTimeoutMs: DEADLINE_MS - MARGIN_MS,
      idleInTransactionMs: DEADLINE_MS,
    }, maxConnections);
  }

  query<T extends Row = Row>(
    text: string,
    values: SqlValue[] = [],
    options: QueryOptions = {},
  ): Promise<T[]> {
    const work = (connection: Connection) => this.#run(connection, { text, values });
    return this.#within(options, work) as Promise<T[]>;
  }

  transaction(statements: Statement[], options: QueryOptions = {}): Promise<Row[][]> {
    return this.#within(options, async (connection) => {
      await connection.query("begin", []);
      const results: Row[][] = [];
      try {
        for (const statement of statements) results.push(await this.#run(connection, statement));
        await connection.query("commit", []);
      } catch (error) {
        if (!connection.broken) await connection.query("rollback", []);
        throw error;
      }
      return results;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#connections.close();
  }

  #run(connection: Connection, { text, values = [] }: Statement): Promise<Row[]> {
    return connection.query(text, toParameters(values), this.#names.of(text));
  }

  /** Runs `work` on one connection and ends it at the deadline by cutting that connection. */
  async #within<T>(
    { timeoutMs = DEADLINE_MS }: QueryOptions,
    work: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    const end = performance.now() + timeoutMs;
    const connection = await this.#connections.acquire(timeoutMs);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      connection.destroy();
    }, Math.max(0, end - performance.now()));
    try {
      const result =
        await (timeoutMs > DEADLINE_MS ? patiently(connection, timeoutMs, work) : work(connection));
      this.#connections.release(connection);
      return result;
    } catch (error) {
      throw this.#failed(connection, late ? deadlineMissed(timeoutMs, error) : error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Gives the connection back or away, and says what the failure means. */
  #failed(connection: Connection, error: unknown): DatabaseError {
    const sqlState = sqlStateOf(error);
    const healthy = sqlState !== undefined && !connection.broken && !isFatal(error) &&
      !isStalePlan(error) && ["busy", "rejected"].includes(failureOf(sqlState));
    if (healthy) {
      this.#connections.release(connection);
      return refusal(sqlState, error);
    }
    connection.destroy();
    this.#connections.replace();
    const failure = toDatabaseError(error, sqlState);
    this.#log?.warn("Database connections replaced", { reason: failure.message, sqlState });
    return failure;
  }
}

/** Lets the server work as long as the caller waits: the session's own limits are shorter. */
async function patiently<T>(
  connection: Connection,
  timeoutMs: number,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const limit = "select set_config('statement_timeout', $1, false)";
  await connection.query(limit, [String(timeoutMs - MARGIN_MS)]);
  try {
    return await work(connection);
  } finally {
    if (!connection.broken) await connection.query("reset statement_timeout", []);
  }
}

function toDatabaseError(error: unknown, sqlState: string | undefined): DatabaseError {
  if (error instanceof DatabaseError) return error;
  if (isStalePlan(error)) {
    return new DatabaseError("unavailable", "The schema changed", sqlState, { cause: error });
  }
  if (sqlState !== undefined) return refusal(sqlState, error);
  const message = error instanceof Error ? error.message : String(error);
  return new DatabaseError("unknown", `Connection lost: ${message}`, undefined, { cause: error });
}

function deadlineMissed(timeoutMs: number, cause: unknown): DatabaseError {
  return new DatabaseError("unknown", `No answer within ${timeoutMs} ms`, undefined, { cause });
}

/** The server ends the connection after such an error. */
function isFatal(error: unknown): boolean {
  return error instanceof Error && "severity" in error &&
    (error.severity === "FATAL" || error.severity === "PANIC");
}

/** A migration changed what a prepared statement returns: nothing ran, a new connection helps. */
function isStalePlan(error: unknown): boolean {
  return error instanceof Error && "routine" in error && error.routine === "RevalidateCachedQuery";
}
