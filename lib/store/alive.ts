import type { Database } from "../database/mod.ts";

/** Throws unless the database answers within 2 s. */
export async function checkDatabase(db: Database): Promise<void> {
  await db.query("select 1", [], { timeoutMs: 2000 });
}
