import type { Database, Row } from "../database/mod.ts";

/** A device as its owner sees it; `generation` counts its secrets. */
export interface StoredDevice {
  id: string;
  name: string;
  createdAt: Date;
  generation: number;
}

interface DeviceRow extends Row {
  id: string;
  name: string;
  created_at: Date;
  generation: number;
}

function deviceOf(row: DeviceRow): StoredDevice {
  return { id: row.id, name: row.name, createdAt: row.created_at, generation: row.generation };
}

const COLUMNS = `p.id, p.name, p.created_at, d.generation`;

/** Makes a device; undefined when the owner has `max` of them already, or is disabled. */
export async function createDevice(
  db: Database,
  id: string,
  owner: string,
  name: string,
  max: number,
): Promise<StoredDevice | undefined> {
  const rows = await db.query<DeviceRow>(
    `with p as (
       insert into principals (id, kind, role, name)
       select $1, 'device', 'device', $3
       where exists (select 1 from principals o where o.id = $2 and o.disabled_at is null)
         and (select count(*) from devices d join principals x on x.id = d.id
              where d.owner_id = $2 and x.disabled_at is null) < $4
       returning id, name, created_at),
     d as (insert into devices (id, owner_id) select p.id, $2 from p returning id, generation)
     select ${COLUMNS} from p join d on d.id = p.id`,
    [id, owner, name, max],
  );
  return rows[0] && deviceOf(rows[0]);
}

/** The devices of an owner in the order of their ids, after the id `after`. */
export async function listDevices(
  db: Database,
  owner: string,
  after: string | null,
  limit: number,
): Promise<StoredDevice[]> {
  const rows = await db.query<DeviceRow>(
    `select ${COLUMNS} from devices d join principals p on p.id = d.id
     where d.owner_id = $1 and p.disabled_at is null and ($2::uuid is null or d.id > $2::uuid)
     order by d.id limit $3`,
    [owner, after, limit],
  );
  return rows.map(deviceOf);
}

/** One device of an owner. */
export async function readDevice(
  db: Database,
  id: string,
  owner: string,
): Promise<StoredDevice | undefined> {
  const rows = await db.query<DeviceRow>(
    `select ${COLUMNS} from devices d join principals p on p.id = d.id
     where d.id = $1 and d.owner_id = $2 and p.disabled_at is null`,
    [id, owner],
  );
  return rows[0] && deviceOf(rows[0]);
}

/** A device by its id alone, for brokers and bridges; undefined when unknown or disabled. */
export async function readLiveDevice(
  db: Database,
  id: string,
): Promise<StoredDevice | undefined> {
  const rows = await db.query<DeviceRow>(
    `select ${COLUMNS} from devices d join principals p on p.id = d.id
     where d.id = $1 and p.disabled_at is null`,
    [id],
  );
  return rows[0] && deviceOf(rows[0]);
}

/** Gives a device another name. */
export async function renameDevice(
  db: Database,
  id: string,
  owner: string,
  name: string,
): Promise<StoredDevice | undefined> {
  const rows = await db.query<DeviceRow>(
    `update principals p set name = $3 from devices d
     where d.id = p.id and d.id = $1 and d.owner_id = $2 and p.disabled_at is null
     returning ${COLUMNS}`,
    [id, owner, name],
  );
  return rows[0] && deviceOf(rows[0]);
}

/** Makes the device's secret another one. */
export async function rotateDevice(
  db: Database,
  id: string,
  owner: string,
): Promise<StoredDevice | undefined> {
  const rows = await db.query<DeviceRow>(
    `update devices d set generation = d.generation + 1 from principals p
     where p.id = d.id and d.id = $1 and d.owner_id = $2 and p.disabled_at is null
     returning ${COLUMNS}`,
    [id, owner],
  );
  return rows[0] && deviceOf(rows[0]);
}

/** Ends a device's access for good; its messages stay. True when there was one. */
export async function disableDevice(db: Database, id: string, owner: string): Promise<boolean> {
  const rows = await db.query(
    `update principals p set disabled_at = now() from devices d
     where d.id = p.id and d.id = $1 and d.owner_id = $2 and p.disabled_at is null
     returning p.id`,
    [id, owner],
  );
  return rows.length > 0;
}

/** The rooms that a principal is a member of. */
export async function roomsOf(db: Database, principal: string): Promise<string[]> {
  const rows = await db.query<{ room_id: string }>(
    `select room_id from members where principal_id = $1 order by room_id`,
    [principal],
  );
  return rows.map((row) => row.room_id);
}

/** The devices of an owner that are members of a room. */
export async function devicesIn(db: Database, room: string, owner: string): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `select d.id from devices d join members m on m.principal_id = d.id
     where d.owner_id = $1 and m.room_id = $2 order by d.id`,
    [owner, room],
  );
  return rows.map((row) => row.id);
}
