import type { Database, Row } from "../database/mod.ts";
import type { GlobalRole, PrincipalKind, PublicPrincipal } from "../protocol.ts";
import { holdAccount } from "./principals.ts";

/** A device as its owner sees it, with which secrets are good: `generation` counts them. */
export interface StoredDevice {
  id: string;
  name: string;
  createdAt: Date;
  /** Its access has ended until it is enabled again. */
  disabledAt?: Date;
  /** No device, but its owner's own way to speak MQTT. */
  personal: boolean;
  generation: number;
  /** The generation whose username is the plain id. */
  plainGeneration: number;
  /** The secret before, which is good until then. */
  former?: { generation: number; until: Date };
}

/** A row with DEVICE_COLUMNS. */
export interface DeviceRow extends Row {
  id: string;
  name: string;
  created_at: Date;
  disabled_at: Date | null;
  personal: boolean;
  generation: number;
  plain_generation: number;
  former_generation: number | null;
  former_until: Date | null;
}

/** Reads a row with DEVICE_COLUMNS. */
export function deviceOf(row: DeviceRow): StoredDevice {
  const { former_generation: generation, former_until: until } = row;
  return {
    id: row.id,
    name: row.name,
    createdAt: row.created_at,
    ...(row.disabled_at === null ? {} : { disabledAt: row.disabled_at }),
    personal: row.personal,
    generation: row.generation,
    plainGeneration: row.plain_generation,
    ...(generation === null || until === null ? {} : { former: { generation, until } }),
  };
}

/** The columns of `devices d` and its `principals p` that deviceOf() reads. */
export const DEVICE_COLUMNS =
  `p.id, p.name, p.created_at, p.disabled_at, d.personal, d.generation, d.plain_generation,
   case when d.former_until > now() then d.former_generation end as former_generation,
   d.former_until`;

const HOLD_ROOMS = `select from rooms r join members m on m.room_id = r.id
  where m.principal_id = $1 order by r.id for key share of r`;

/**
 * Makes a device; undefined when the owner has `max` of them already, or is disabled. A personal one
 * hears what comes from now on in the owner's rooms, also when no bridge looks after these yet.
 */
export async function createDevice(
  db: Database,
  id: string,
  owner: string,
  name: string,
  max: number,
  personal = false,
): Promise<StoredDevice | undefined> {
  const results = await db.transaction([
    // Rooms come first, as in every transaction: a new cursor holds its room.
    ...(personal ? [{ text: HOLD_ROOMS, values: [owner] }] : []),
    holdAccount(owner),
    {
      text: `with p as (
       insert into principals (id, kind, role, name)
       select $1, 'device', 'device', $3
       where exists (select 1 from principals o where o.id = $2 and o.disabled_at is null)
         and (select count(*) from devices x where x.owner_id = $2 and x.deleted_at is null) < $4
       returning *),
     d as (insert into devices (id, owner_id, personal) select p.id, $2, $5 from p returning *),
     cursors as (
       insert into bridge_cursors (room_id, seq)
       select r.id, r.head from d join members m on m.principal_id = d.member_id and d.personal
       join rooms r on r.id = m.room_id and r.deleted_at is null
       on conflict (room_id) do nothing)
     select ${DEVICE_COLUMNS} from p join d on d.id = p.id`,
      values: [id, owner, name, max, personal],
    },
  ]);
  const row = results.at(-1)![0] as DeviceRow | undefined;
  return row && deviceOf(row);
}

/** The devices of an owner, disabled ones too, in the order of their ids, after the id `after`. */
export async function listDevices(
  db: Database,
  owner: string,
  after: string | null,
  limit: number,
): Promise<StoredDevice[]> {
  const rows = await db.query<DeviceRow>(
    `select ${DEVICE_COLUMNS} from devices d join principals p on p.id = d.id
     where d.owner_id = $1 and d.deleted_at is null and ($2::uuid is null or d.id > $2::uuid)
     order by d.id limit $3`,
    [owner, after, limit],
  );
  return rows.map(deviceOf);
}

/** One device of an owner, also when it is disabled. */
export async function readDevice(
  db: Database,
  id: string,
  owner: string,
): Promise<StoredDevice | undefined> {
  const rows = await db.query<DeviceRow>(
    `select ${DEVICE_COLUMNS} from devices d join principals p on p.id = d.id
     where d.id = $1 and d.owner_id = $2 and d.deleted_at is null`,
    [id, owner],
  );
  return rows[0] && deviceOf(rows[0]);
}

interface LiveDeviceRow extends DeviceRow {
  member_id: string;
  kind: PrincipalKind;
  role: GlobalRole;
  member_name: string;
}

/**
 * A device by its id alone, for brokers and bridges, and as who it acts: itself, or its owner.
 * Undefined when it is unknown, or its access or the owner's has ended.
 */
export async function readLiveDevice(
  db: Database,
  id: string,
): Promise<
  { device: StoredDevice; principal: PublicPrincipal & { role: GlobalRole } } | undefined
> {
  const rows = await db.query<LiveDeviceRow>(
    `select ${DEVICE_COLUMNS}, d.member_id, m.kind, m.role, m.name as member_name
     from devices d join principals p on p.id = d.id join principals m on m.id = d.member_id
     where d.id = $1 and p.disabled_at is null and m.disabled_at is null`,
    [id],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const { member_id, kind, role, member_name: name } = row;
  return { device: deviceOf(row), principal: { id: member_id, kind, role, name } };
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
     where d.id = p.id and d.id = $1 and d.owner_id = $2 and d.deleted_at is null
     returning ${DEVICE_COLUMNS}`,
    [id, owner, name],
  );
  return rows[0] && deviceOf(rows[0]);
}

/**
 * Makes the device's secret another one; the present one stays good for `graceSeconds`. While a
 * former one is still good, another rotation with grace makes no third: it answers with the same
 * secret, because the answer may have been lost, and counts the grace from now on.
 */
export async function rotateDevice(
  db: Database,
  id: string,
  owner: string,
  graceSeconds: number,
): Promise<StoredDevice | undefined> {
  const rows = await db.query<DeviceRow>(
    `update devices d set
       generation = d.generation
         + case when $3::integer > 0 and d.former_until > now() then 0 else 1 end,
       former_generation = case when $3::integer = 0 then null
         when d.former_until > now() then d.former_generation else d.generation end,
       former_until = case when $3::integer > 0 then now() + $3::integer * interval '1 second' end
     from principals p
     where p.id = d.id and d.id = $1 and d.owner_id = $2 and d.deleted_at is null
     returning ${DEVICE_COLUMNS}`,
    [id, owner, graceSeconds],
  );
  return rows[0] && deviceOf(rows[0]);
}

/** Ends the secret before the last rotation, when it is still good; the newest one stays. */
export async function endFormerSecret(
  db: Database,
  id: string,
  owner: string,
): Promise<StoredDevice | undefined> {
  const rows = await db.query<DeviceRow>(
    `update devices d set former_generation = null, former_until = null from principals p
     where p.id = d.id and d.id = $1 and d.owner_id = $2 and d.deleted_at is null
     returning ${DEVICE_COLUMNS}`,
    [id, owner],
  );
  return rows[0] && deviceOf(rows[0]);
}

/** Ends a device's access until enableDevice(); once more changes nothing. */
export async function disableDevice(
  db: Database,
  id: string,
  owner: string,
): Promise<StoredDevice | undefined> {
  const rows = await db.query<DeviceRow>(
    `update principals p set disabled_at = coalesce(p.disabled_at, now()) from devices d
     where d.id = p.id and d.id = $1 and d.owner_id = $2 and d.deleted_at is null
     returning ${DEVICE_COLUMNS}`,
    [id, owner],
  );
  return rows[0] && deviceOf(rows[0]);
}

/** Gives a disabled device its access back; to one that is not disabled it does nothing. */
export async function enableDevice(
  db: Database,
  id: string,
  owner: string,
): Promise<StoredDevice | undefined> {
  const rows = await db.query<DeviceRow>(
    // The lock makes it see a deletion that is under way, which changes the same row first.
    `with d as materialized (
       select x.* from devices x join principals o on o.id = x.owner_id
       where x.id = $1 and x.owner_id = $2 and x.deleted_at is null and o.disabled_at is null
       for update of x)
     update principals p set disabled_at = null from d where d.id = p.id
     returning ${DEVICE_COLUMNS}`,
    [id, owner],
  );
  return rows[0] && deviceOf(rows[0]);
}

/** Ends a device's access for good; its messages stay. True when there was one. */
export async function endDevice(db: Database, id: string, owner: string): Promise<boolean> {
  const rows = await db.query(
    `with d as (
       update devices x set deleted_at = now()
       where x.id = $1 and x.owner_id = $2 and x.deleted_at is null returning x.id)
     update principals p set disabled_at = coalesce(p.disabled_at, now()) from d
     where p.id = d.id returning p.id`,
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

/** The rooms that any of these devices is in, with its own membership or its owner's. */
export async function roomsOfAny(db: Database, devices: string[]): Promise<string[]> {
  const rows = await db.query<{ room_id: string }>(
    `select distinct m.room_id from devices d join members m on m.principal_id = d.member_id
     where d.id = any ($1::uuid[])`,
    [devices],
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
