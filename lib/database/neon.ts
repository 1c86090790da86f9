import { neon, neonConfig } from "@neondatabase/serverless";
import { columnTypes, toParameters } from "./column_types.ts";
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
const usualEndpoint = neonConfig.fetchEndpoint;
neonConfig.fetchEndpoint = (host, port, options) =>
  endpoints.get(host) ??
    (typeof usualEndpoint === "string" ? usualEndpoint : usualEndpoint(host, port, options));
neonConfig.fetchFunction = fetchAnswer;

/**
 * Neon over HTTPS: one request per call. There is no session to set `lock_timeout` in, and settings
 * in the connection string do not reach the database: migrate() makes it a default of the role.
 * When the deadline ends a request, Neon cancels the statement.
 */
export function openNeon(url: string, options: NeonOptions = {}): Database {
  return new NeonDatabase(url, options);
}

class NeonDatabase implements Database {
  readonly #sql;
  #client: Deno.HttpClient | undefined = Deno.createHttpClient({});

  constructor(url: string, { fetchEndpoint }: NeonOptions) {
    if (fetchEndpoint !== undefined) endpoints.set(new URL(url).hostname, fetchEndpoint);
    this.#sql = neon(url, { disableWarningInBrowsers: true });
  }

  query<T extends Row = Row>(
    text: string,
    values: SqlValue[] = [],
    options: QueryOptions = {},
  ): Promise<T[]> {
    return this.#within(
      options,
      (fetchOptions) =>
        this.#sql.query(text, toParameters(values), {
          types: columnTypes,
          fetchOptions,
        }) as Promise<
          T[]
        >,
    );
  }

  transaction(statements: Statement[], options: QueryOptions = {}): Promise<Row[][]> {
    const queries = statements.map(({ text, values = [] }) =>
      this.#sql.query(text, toParameters(values), { types: columnTypes })
    );
    return this.#within(
      options,
      (fetchOptions) => this.#sql.transaction(queries, { fetchOptions }),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#client?.close();
    this.#client = undefined;
    return Promise.resolve();
  }

  async #within<T>(
    { timeoutMs = DEADLINE_MS }: QueryOptions,
    send: (fetchOptions: RequestInit & { client: Deno.HttpClient }) => Promise<T>,
  ): Promise<T> {
    const client = this.#client;
    if (client === undefined) throw new DatabaseError("unavailable", "The database is closed");
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), timeoutMs);
    try {
      return await send({ signal: deadline.signal, client });
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
    this.#client = Deno.createHttpClient({});
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
