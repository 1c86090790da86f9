import type { Database } from "../lib/database/mod.ts";
import type { Log } from "../lib/log.ts";
import { deleteExpiredSessions } from "../lib/store/sessions.ts";
import { deleteExpiredTickets } from "../lib/store/tickets.ts";

/** Rows that one statement deletes. */
const BATCH = 1000;

/** Removes what has expired: used tickets and ended sessions. Returns how many rows went. */
export async function sweep(db: Database, log: Log): Promise<number> {
  let total = 0;
  for (const remove of [deleteExpiredTickets, deleteExpiredSessions]) {
    let removed;
    do {
      removed = await remove(db, BATCH);
      total += removed;
    } while (removed === BATCH);
  }
  if (total > 0) log.debug("Swept expired rows", { total });
  return total;
}
