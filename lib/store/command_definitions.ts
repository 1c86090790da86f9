import type { Database } from "../database/mod.ts";
import type { CommandDefinition } from "../command_schemas.ts";

/** What a device takes, null when it takes every command. */
export async function readDefinitions(
  db: Database,
  device: string,
): Promise<CommandDefinition[] | null> {
  const rows = await db.query<{ definitions: CommandDefinition[] }>(
    `select definitions from device_commands where device_id = $1`,
    [device],
  );
  return rows[0]?.definitions ?? null;
}

/** The same for a member of a room that the device is in; undefined when there is none. */
export async function readDefinitionsIn(
  db: Database,
  room: string,
  device: string,
  viewer: string,
): Promise<CommandDefinition[] | null | undefined> {
  const rows = await db.query<{ definitions: CommandDefinition[] | null }>(
    `select c.definitions from rooms r
     join members m on m.room_id = r.id and m.principal_id = $3
     join principals p on p.id = m.principal_id and p.disabled_at is null
     join members t on t.room_id = r.id and t.principal_id = $2
     join devices d on d.id = t.principal_id
     left join device_commands c on c.device_id = d.id
     where r.id = $1 and r.deleted_at is null`,
    [room, device, viewer],
  );
  return rows[0] && rows[0].definitions;
}

/** The name of a device, and what it takes; undefined when there is no such device. */
export async function readCommanded(
  db: Database,
  device: string,
): Promise<{ name: string; definitions: CommandDefinition[] | null } | undefined> {
  const rows = await db.query<{ name: string; definitions: CommandDefinition[] | null }>(
    `select p.name, c.definitions from devices d
     join principals p on p.id = d.id
     left join device_commands c on c.device_id = d.id
     where d.id = $1`,
    [device],
  );
  return rows[0];
}

/** Says what a device of this owner takes, as JSON text; nothing happens to another's device. */
export async function writeDefinitions(
  db: Database,
  device: string,
  owner: string,
  definitions: string,
): Promise<void> {
  await db.query(
    `insert into device_commands (device_id, definitions)
     select d.id, $3::jsonb from devices d where d.id = $1 and d.owner_id = $2
     on conflict (device_id) do update set definitions = excluded.definitions`,
    [device, owner, definitions],
  );
}

/** Lets a device of this owner take every command. */
export async function deleteDefinitions(
  db: Database,
  device: string,
  owner: string,
): Promise<void> {
  await db.query(
    `delete from device_commands c using devices d
     where d.id = c.device_id and d.id = $1 and d.owner_id = $2`,
    [device, owner],
  );
}
