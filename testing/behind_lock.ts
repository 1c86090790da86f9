// @ts-types="npm:@types/pg@8.23.1"
import pg from "pg";
import { until } from "./until.ts";

/** What holds work up, and until when. */
export interface HeldUp {
  /** Of the database. */
  url: string;
  /** A statement whose locks the work needs. */
  lock: string;
  /** Connections that wait for locks when the work may go on. */
  waiters: number;
  /** Done before that. */
  meanwhile?: () => Promise<unknown>;
}

/** Lets work begin and wait, all of it, and then go on at once. Locks are waited for one second. */
export async function behindLock<T>(
  { url, lock, waiters, meanwhile }: HeldUp,
  work: () => Promise<T>,
): Promise<T> {
  const locker = new pg.Client({ connectionString: url });
  await locker.connect();
  try {
    await locker.query("begin");
    await locker.query(lock);
    const working = work();
    working.catch(() => {});
    await until(`${waiters} wait for locks`, async () => {
      // What a transaction sees of the others stays as it was when it first looked.
      await locker.query("select pg_stat_clear_snapshot()");
      const { rows } = await locker.query(
        `select from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return rows.length >= waiters;
    });
    await meanwhile?.();
    await locker.query("commit");
    return await working;
  } finally {
    await locker.end();
  }
}
