import { type Database, DatabaseError } from "../database/mod.ts";
import { ConfabError } from "../errors.ts";

/** Reads that one principal may have under way. */
const PER_PRINCIPAL = 3;
/** Reads that may wait: of one principal, and of all. */
const MAX_WAITING = { own: 1000, all: 20_000 };
/** The part of the database's connections that reads of history may take; sends need the rest. */
const SHARE = 0.6;

interface Waiter {
  go(): void;
}

interface Line {
  running: number;
  waiting: Set<Waiter>;
}

/**
 * Lets reads of history go to one database in turn. A page may be megabytes: without this, one
 * client that asks for many at once would hold every connection, and everybody's sends would fail.
 * Principals take turns, so that each waits for its own reads above all.
 */
export class HistoryTurns {
  readonly #lines = new Map<string, Line>();
  readonly #most: number;
  #running = 0;
  #waiting = 0;

  /** `connections` is how many statements the database runs at once. */
  constructor(connections: number, private readonly waitMs = 2000) {
    this.#most = Math.max(1, Math.floor(connections * SHARE));
  }

  /**
   * Runs `read` when it is the principal's turn.
   *
   * @throws {ConfabError} `rate_limited` when the principal itself asks for too much at once
   * @throws {ConfabError} `overloaded` when all together do
   * @throws {DatabaseError} `unavailable` when the turn does not come in time
   */
  async run<T>(principal: string, read: () => Promise<T>): Promise<T> {
    let line = this.#lines.get(principal);
    if (line === undefined) this.#lines.set(principal, line = { running: 0, waiting: new Set() });
    try {
      if (this.#mayRun(line)) this.#start(line);
      else await this.#wait(line);
      try {
        return await read();
      } finally {
        line.running--;
        this.#running--;
        this.#next();
      }
    } finally {
      if (line.running === 0 && line.waiting.size === 0) this.#lines.delete(principal);
    }
  }

  /** Principals that read or wait. */
  get size(): number {
    return this.#lines.size;
  }

  #mayRun(line: Line): boolean {
    return line.running < PER_PRINCIPAL && this.#running < this.#most;
  }

  #start(line: Line): void {
    line.running++;
    this.#running++;
  }

  #wait(line: Line): Promise<void> {
    if (line.waiting.size >= MAX_WAITING.own) throw tooMuch();
    if (this.#waiting >= MAX_WAITING.all) throw new ConfabError("overloaded");
    this.#waiting++;
    return new Promise<void>((resolve, reject) => {
      const waiter = {
        go: () => {
          clearTimeout(timer);
          line.waiting.delete(waiter);
          this.#start(line);
          resolve();
        },
      };
      const timer = setTimeout(() => {
        line.waiting.delete(waiter);
        const own = line.running >= PER_PRINCIPAL;
        reject(own ? tooMuch() : new DatabaseError("unavailable", "Too many reads of history"));
      }, this.waitMs);
      line.waiting.add(waiter);
    }).finally(() => this.#waiting--);
  }

  /** Starts what may run now; whoever had a turn goes to the end. */
  #next(): void {
    if (this.#running >= this.#most) return;
    for (const [principal, line] of this.#lines) {
      const [waiter] = line.waiting;
      if (waiter === undefined || !this.#mayRun(line)) continue;
      this.#lines.delete(principal);
      this.#lines.set(principal, line);
      waiter.go();
      if (this.#running >= this.#most) return;
    }
  }
}

const turns = new WeakMap<Database, HistoryTurns>();

/** Runs a read of history for a principal in turn with those of others, see HistoryTurns. */
export function inTurn<T>(
  db: Database,
  principal: string,
  read: () => Promise<T>,
): Promise<T> {
  let own = turns.get(db);
  if (own === undefined) turns.set(db, own = new HistoryTurns(db.concurrency ?? Infinity));
  return own.run(principal, read);
}

function tooMuch(): ConfabError {
  return new ConfabError("rate_limited", "Too many reads of history at once");
}
