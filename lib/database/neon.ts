import type { NeonQueryFunction } from "@neondatabase/serverless";
import { columnTypes, toParameters, type TypeParsers } from "./column_types.ts";
import { refusal, sqlStateOf } from "./failure.ts";
import { type Database, DatabaseError, type QueryOptions } from "./mod.ts";
import type { Row, SqlValue, Statement } from "./mod.ts";

/** The deadline of a call, in milliseconds. */
const DEADLINE_MS = 3000;

/** Options of openNeon(). */
export interface NeonOptions {
  /** Where SQL over HTTP is answered, when it is not Neon's own endpoint for the host of the URL. */
  fetchEndpoint?: string;
}

/** Endpoints of hosts that have their own; the driver has only one setting for the process. */
const endpoints = new Map<string, string>();

/** The driver, set up for this process. */
interface Driver {
  neon: typeof import("@neondatabase/serverless").neon;
  types: TypeParsers;
}

/** The driver for one URL. */
interface Opened {
  sql: NeonQueryFunction<false, false>;
  types: TypeParsers;
}

let driver: Promise<Driver> | undefined;

/** Loaded with the first statement: a node that has just been started listens before that. */
async function loadDriver(): Promise<Driver> {
  const { neon, neonConfig, types } = await import("@neondatabase/serverless");
  const usual = neonConfig.fetchEndpoint;
  neonConfig.fetchEndpoint = (host, port, options) =>
    endpoints.get(host) ?? (typeof usual === "string" ? usual : usual(host, port, options));
  neonConfig.fetchFunction = fetchAnswer;
  return { neon, types: columnTypes(types) };
}

/**
 * Neon over HTTPS: one request per call. There is no session to set `lock_timeout` in, and settings
 * in the connection string do not reach the database: migrate() makes it a default of the role.
 * When the deadline ends a request, Neon cancels the statement.
 */
export function openNeon(url: string, options: NeonOptions = {}): Database {
  return new NeonDatabase(url, options);
}

class NeonDatabase implements Database {
  #opened: Promise<Opened> | undefined;
  #client: Deno.HttpClient | undefined;
  #closed = false;

  constructor(private readonly url: string, { fetchEndpoint }: NeonOptions) {
    if (fetchEndpoint !== undefined) endpoints.set(new URL(url).hostname, fetchEndpoint);
  }

  query<T extends Row = Row>(
    text: string,
    values: SqlValue[] = [],
    options: QueryOptions = {},
  ): Promise<T[]> {
    return this.#within(options, ({ sql, types }, fetchOptions) => {
      const parameters = toParameters(values);
      return sql.query(text, parameters, { types, fetchOptions }) as Promise<T[]>;
    });
  }

  transaction(statements: Statement[], options: QueryOptions = {}): Promise<Row[][]> {
    return this.#within(options, ({ sql, types }, fetchOptions) => {
      const queries = statements.map(({ text, values = [] }) =>
        sql.query(text, toParameters(values), { types })
      );
      return sql.transaction(queries, { fetchOptions });
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#client?.close();
    this.#client = undefined;
    return Promise.resolve();
  }

  async #open(): Promise<Opened> {
    const { neon, types } = await (driver ??= loadDriver());
    return { sql: neon(this.url, { disableWarningInBrowsers: true }), types };
  }

  async #within<T>(
    { timeoutMs = DEADLINE_MS }: QueryOptions,
    send: (
      opened: Opened,
      fetchOptions: RequestInit & { client: Deno.HttpClient },
    ) => Promise<T>,
  ): Promise<T> {
    const opened = await (this.#opened ??= this.#open());
    if (this.#closed) throw new DatabaseError("unavailable", "The database is closed");
    const client = this.#client ??= Deno.createHttpClient({});
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), timeoutMs);
    try {
      return await send(opened, { signal: deadline.signal, client });
    } catch (error) {
      if (!deadline.signal.aborted) throw toDatabaseError(error);
      this.#replace(client);
      const cause = { cause: error };
      throw new DatabaseError("unknown", `No answer within ${timeoutMs} ms`, undefined, cause);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A connection that does not answer would be used again: the next request opens a new one. */
  #replace(client: Deno.HttpClient): void {
    if (this.#client !== client) return;
    client.close();
    this.#client = undefined;
  }
}

/** Refusals that the driver does not tell apart: the gateway passed nothing on to the database. */
const NOT_TAKEN = [429, 503];

/** What the driver calls instead of fetch. */
async function fetchAnswer(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (!NOT_TAKEN.includes(response.status)) return response;
  await response.body?.cancel();
  throw new DatabaseError("unavailable", `The gateway answered ${response.status}`);
}

function toDatabaseError(error: unknown): DatabaseError {
  const sqlState = sqlStateOf(error);
  if (sqlState !== undefined) return refusal(sqlState, error);
  const source = error instanceof Error && "sourceError" in error ? error.sourceError : error;
  if (source instanceof DatabaseError) return source;
  const message = error instanceof Error ? error.message : String(error);
  const failure = isConnectFailure(source) ? "unavailable" : "unknown";
  return new DatabaseError(failure, message, undefined, { cause: error });
}

/** fetch gives no code: its HTTP client names the phase that failed, here or in the cause. */
function isConnectFailure(error: unknown): boolean {
  return error instanceof TypeError &&
    [error, error.cause].some((e) => e instanceof Error && e.message.includes("(Connect)"));
}
