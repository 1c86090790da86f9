import type { Database } from "../lib/database/mod.ts";
import type { Log } from "../lib/log.ts";
import { deleteExpiredClaims } from "../lib/store/device_claims.ts";
import { deleteExpiredSessions } from "../lib/store/sessions.ts";
import { deleteExpiredTickets } from "../lib/store/tickets.ts";

/** Rows that one statement deletes. */
const BATCH = 1000;

/** Removes what has expired (tickets, sessions, claims of devices). Returns how many rows went. */
export async function sweep(db: Database, log: Log): Promise<number> {
  let total = 0;
  for (const remove of [deleteExpiredTickets, deleteExpiredSessions, deleteExpiredClaims]) {
    let removed;
    do {
      removed = await remove(db, BATCH);
      total += removed;
    } while (removed === BATCH);
  }
  if (total > 0) log.debug("Swept expired rows", { total });
  return total;
}
