import type { Database } from "../database/mod.ts";
import type { Metadata } from "../protocol.ts";

/** The schema of a device's data: null when it has none; undefined when the owner has no such device. */
export async function readDataSchema(
  db: Database,
  device: string,
  owner: string,
): Promise<Metadata | null | undefined> {
  const rows = await db.query<{ data_schema: Metadata | null }>(
    `select data_schema from devices where id = $1 and owner_id = $2 and deleted_at is null`,
    [device, owner],
  );
  return rows[0]?.data_schema;
}

/** Sets or (null) removes it. True when the owner has this device. */
export async function setDataSchema(
  db: Database,
  device: string,
  owner: string,
  schema: Metadata | null,
): Promise<boolean> {
  const rows = await db.query(
    `update devices set data_schema = $3::jsonb
     where id = $1 and owner_id = $2 and deleted_at is null returning id`,
    [device, owner, schema === null ? null : JSON.stringify(schema)],
  );
  return rows.length > 0;
}

/** The schema that a device's data must follow; null: any data will do. */
export async function readSchemaOf(db: Database, device: string): Promise<Metadata | null> {
  const rows = await db.query<{ data_schema: Metadata | null }>(
    `select data_schema from devices where id = $1`,
    [device],
  );
  return rows[0]?.data_schema ?? null;
}

/** Those of a sender's clientIds under which something is stored in the room. */
export async function readUsedClientIds(
  db: Database,
  room: string,
  sender: string,
  clientIds: string[],
): Promise<string[]> {
  const rows = await db.query<{ client_id: string }>(
    `select client_id from entries
     where room_id = $1 and actor_id = $2 and client_id = any ($3::text[])`,
    [room, sender, clientIds],
  );
  return rows.map((row) => row.client_id);
}
