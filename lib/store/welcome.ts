import type { Database } from "../database/mod.ts";

/** Makes a user without username and password, who therefore cannot log in. */
export async function createHost(db: Database, id: string, name: string): Promise<void> {
  await db.query(
    `insert into principals (id, kind, role, name) values ($1, 'user', 'user', $2)`,
    [id, name],
  );
}
