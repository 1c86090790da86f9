import type { Database, QueryOptions, Row, SqlValue } from "../lib/database/mod.ts";

/** What is to happen around each statement; what they throw, the caller gets. */
export interface Faults {
  before?: (text: string, values: SqlValue[]) => void | Promise<void>;
  after?: (text: string, values: SqlValue[]) => void | Promise<void>;
}

/** `db` with faults that may change between statements. Disposing leaves `db` open. */
export function faultyDatabase(db: Database, faults: Faults): Database {
  return {
    query: async <T extends Row>(text: string, values: SqlValue[] = [], options?: QueryOptions) => {
      await faults.before?.(text, values);
      const rows = await db.query<T>(text, values, options);
      await faults.after?.(text, values);
      return rows;
    },
    transaction: (statements, options) => db.transaction(statements, options),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
