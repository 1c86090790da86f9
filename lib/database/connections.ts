import { Connection, type ConnectionOptions } from "./connection.ts";
import { DatabaseError } from "./mod.ts";

/** Milliseconds after which an unused connection is closed. */
const IDLE_MS = 30_000;
/** Milliseconds that statements under way have when everything closes. */
const CLOSE_MS = 500;

interface Waiter {
  resolve(connection: Connection): void;
  reject(error: DatabaseError): void;
}

/**
 * At most `max` connections, opened when somebody waits for one. Waiters are served in order.
 * `replace()` sets all present connections aside, since one that stopped answering makes the
 * others suspect: idle ones close at once, those in use when they come back.
 */
export class Connections {
  readonly #all = new Set<Connection>();
  /** Those of the present generation; others are not used again. */
  #trusted = new WeakSet<Connection>();
  #idle: { connection: Connection; since: number }[] = [];
  readonly #waiting: Waiter[] = [];
  readonly #opening = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #sweep: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly options: ConnectionOptions, readonly max: number) {}

  /** Hands out a connection within `timeoutMs`. Throws DatabaseError `unavailable`. */
  acquire(timeoutMs: number): Promise<Connection> {
    if (this.#closing.signal.aborted) {
      return Promise.reject(new DatabaseError("unavailable", "The database is closed"));
    }
    for (let held = this.#idle.pop(); held !== undefined; held = this.#idle.pop()) {
      if (!held.connection.broken) return Promise.resolve(held.connection);
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        const late = `No database connection within ${Math.round(timeoutMs)} ms`;
        reject(new DatabaseError("unavailable", late));
      }, timeoutMs);
      const waiter: Waiter = {
        resolve: (connection) => (clearTimeout(timer), resolve(connection)),
        reject: (error) => (clearTimeout(timer), reject(error)),
      };
      this.#waiting.push(waiter);
      this.#grow();
    });
  }

  /** Takes back a connection whose last statement was answered. */
  release(connection: Connection): void {
    if (this.#closing.signal.aborted || connection.broken || !this.#trusted.has(connection)) {
      void connection.close();
      return;
    }
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) return waiter.resolve(connection);
    this.#idle.push({ connection, since: Date.now() });
    this.#sweep ??= setTimeout(() => this.#closeIdle(), IDLE_MS);
    Deno.unrefTimer(Number(this.#sweep));
  }

  /** Distrusts every present connection; statements to come run on new ones. */
  replace(): void {
    this.#trusted = new WeakSet();
    for (const { connection } of this.#idle.splice(0)) void connection.close();
  }

  /** Closes all; statements under way have half a second to end. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#sweep);
    for (const waiter of this.#waiting.splice(0)) {
      waiter.reject(new DatabaseError("unavailable", "The database is closed"));
    }
    this.replace();
    const cut = setTimeout(() => this.#all.forEach((connection) => connection.destroy()), CLOSE_MS);
    await Promise.all(this.#opening);
    await Promise.all([...this.#all].map((connection) => connection.ended));
    clearTimeout(cut);
  }

  /** Opens as many connections as there are waiters without one under way. */
  #grow(): void {
    while (
      this.#opening.size < this.#waiting.length && this.#all.size + this.#opening.size < this.max
    ) {
      const opened: Promise<void> = this.#open().finally(() => this.#opening.delete(opened))
        .then(() => this.#grow());
      this.#opening.add(opened);
    }
  }

  async #open(): Promise<void> {
    try {
      const connection = await Connection.open(this.options, this.#closing.signal);
      this.#all.add(connection);
      this.#trusted.add(connection);
      void connection.ended.then(() => this.#gone(connection));
      this.release(connection);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `Cannot connect: ${reason}`;
      this.#waiting.shift()?.reject(
        new DatabaseError("unavailable", message, undefined, { cause }),
      );
    }
  }

  #gone(connection: Connection): void {
    this.#all.delete(connection);
    this.#idle = this.#idle.filter((held) => held.connection !== connection);
    this.#grow();
  }

  #closeIdle(): void {
    this.#sweep = undefined;
    const oldest = Date.now() - IDLE_MS;
    const stale = this.#idle.filter(({ since }) => since <= oldest);
    this.#idle = this.#idle.filter(({ since }) => since > oldest);
    for (const { connection } of stale) void connection.close();
    if (this.#idle.length === 0) return;
    this.#sweep = setTimeout(() => this.#closeIdle(), IDLE_MS);
    Deno.unrefTimer(Number(this.#sweep));
  }
}
