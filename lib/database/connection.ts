import { Socket } from "node:net";
// @ts-types="npm:@types/pg@8.23.1"
import pg from "pg";
import { columnTypes } from "./column_types.ts";
import type { Row } from "./mod.ts";

/** Milliseconds that a polite goodbye may take before the socket is cut. */
const GOODBYE_MS = 1000;

const COLUMN_TYPES = columnTypes(pg.types);

/** How connections are opened. */
export interface ConnectionOptions {
  url: string;
  connectTimeoutMs: number;
  /** Set on the server for the whole session, in milliseconds. */
  lockTimeoutMs: number;
  statementTimeoutMs: number;
  idleInTransactionMs: number;
}

/** One connection to Postgres over TCP. It runs one statement at a time. */
export class Connection {
  readonly #client: pg.Client;
  readonly #socket: Socket;
  /** Resolves when the connection is gone, for whatever reason. */
  readonly ended: Promise<void>;
  /** True once the connection cannot be used any more. */
  broken = false;

  private constructor(options: ConnectionOptions) {
    this.#socket = new Socket();
    this.#client = new pg.Client({
      connectionString: options.url,
      connectionTimeoutMillis: options.connectTimeoutMs,
      application_name: "confab",
      lock_timeout: options.lockTimeoutMs,
      statement_timeout: options.statementTimeoutMs,
      idle_in_transaction_session_timeout: options.idleInTransactionMs,
      keepAlive: true,
      types: COLUMN_TYPES,
      // Our own socket can be cut without asking pg, which waits for the server's goodbye.
      stream: () => this.#socket,
    });
    this.#client.on("error", () => this.broken = true);
    this.ended = new Promise((resolve) => {
      this.#socket.once("close", () => {
        this.broken = true;
        resolve();
      });
    });
  }

  /** Connects and signs in; rejects within `connectTimeoutMs`, or when `signal` is aborted. */
  static async open(options: ConnectionOptions, signal: AbortSignal): Promise<Connection> {
    const connection = new Connection(options);
    const cut = () => connection.destroy();
    signal.addEventListener("abort", cut);
    try {
      await connection.#client.connect();
    } catch (error) {
      connection.destroy();
      throw error;
    } finally {
      signal.removeEventListener("abort", cut);
    }
    return connection;
  }

  /** Runs one statement, prepared on the server under `name` when there is one. */
  async query(text: string, values: unknown[], name?: string): Promise<Row[]> {
    const result = await this.#client.query<Row>({ text, values, ...(name && { name }) });
    return result.rows;
  }

  /** Says goodbye, and cuts the connection when that takes long. */
  async close(): Promise<void> {
    this.broken = true;
    const cut = setTimeout(() => this.destroy(), GOODBYE_MS);
    this.#client.end().catch(() => this.destroy());
    await this.ended;
    clearTimeout(cut);
  }

  /** Cuts the connection. What runs on it rejects; the server may still finish it. */
  destroy(): void {
    this.broken = true;
    this.#socket.destroy();
  }
}
