import type { Database, Row } from "../database/mod.ts";
import type { PrincipalId, PublicPrincipal } from "../protocol.ts";
import type { LeaseKey } from "./bridge_lease.ts";

/** What became of what a device said, see the function `device_said` of the schema. */
export interface SaidStatus {
  outcome: "born" | "gone" | "same" | "ignored" | "unknown";
  /** What is so now, with the name of the present stay. */
  online: boolean;
  stay: string | null;
  /** Unstable for so long, if it does not come again; 0: it is stable. */
  unstableMs: number;
  /** Who is there with it: the device, or the person who speaks with it. */
  member: PrincipalId;
}

/** For so long a device of which `births` is known, the newest last, is unstable: see is_unstable. */
const UNSTABLE_MS = `greatest(0, extract(epoch from
  s.births[cardinality(s.births)] + interval '2 minutes' - now()) * 1000)::float8`;

/**
 * Takes what a device says of itself, while the lease is held; undefined: it is not. `heard`: it has
 * said it just now.
 */
export async function sayStatus(
  db: Database,
  lease: LeaseKey,
  device: PrincipalId,
  { online, session }: { online: boolean; session?: number | string },
  heard: boolean,
): Promise<SaidStatus | undefined> {
  const rows = await db.query<Row & SaidStatus>(
    // What the function has changed is not seen beside it: the time of a birth is now.
    `select x.outcome, x.online, x.stay, coalesce(d.member_id, $1) as member,
       case when not x.unstable then 0 when x.outcome = 'born' then 120000 else ${UNSTABLE_MS} end
         as "unstableMs"
     from device_said_in_term($6, $7, $8, $1, $2, $3::bigint, $4::text, $5) x
     left join devices d on d.id = $1 left join device_status s on s.device_id = $1
     where x.outcome is not null`,
    [
      device,
      online,
      typeof session === "number" ? session : null,
      typeof session === "string" ? session : null,
      heard,
      lease.name,
      lease.holder,
      lease.term,
    ],
  );
  return rows[0];
}

/** A device that has said that it is there, or has been unstable since it came last. */
export interface OnlineDevice {
  device: PrincipalId;
  /** Null: it is not there. */
  stay: string | null;
  /** See SaidStatus. */
  unstableMs: number;
  /** It is unstable, or was when it came last. */
  wasUnstable: boolean;
  member: PrincipalId;
}

/** Devices that are online or have been unstable, in the order of their ids after `after`. */
export function readOnlineDevices(
  db: Database,
  after: PrincipalId | null,
  limit: number,
): Promise<OnlineDevice[]> {
  return db.query<Row & OnlineDevice>(
    `select s.device_id as device, s.stay, d.member_id as member, s.flapping as "wasUnstable",
       case when s.flapping then ${UNSTABLE_MS} else 0 end as "unstableMs"
     from device_status s join devices d on d.id = s.device_id
     join principals p on p.id = s.device_id and p.disabled_at is null
     join principals m on m.id = d.member_id and m.disabled_at is null
     where (s.online or s.flapping) and ($1::uuid is null or s.device_id > $1::uuid)
     order by s.device_id limit $2`,
    [after, limit],
  );
}

/** No device is there any more; answers how many were. */
export async function endAllStays(db: Database): Promise<number> {
  const rows = await db.query<{ ended: number }>(
    `with ended as (
       update device_status set online = false, stay = null, since = clock_timestamp()
       where online returning 1)
     select count(*) as ended from ended`,
  );
  return rows[0]!.ended;
}

/** What is known of a device besides whether it is there. */
export interface DeviceTraits {
  unstable: boolean;
  lastSeen: Date | null;
}

/** The traits of those of `devices` that were ever heard of. */
export async function readTraits(
  db: Database,
  devices: PrincipalId[],
): Promise<Map<PrincipalId, DeviceTraits>> {
  const rows = await db.query<Row & { id: string; unstable: boolean; last_seen: Date | null }>(
    `select s.device_id as id, is_unstable(s) as unstable, s.last_seen
     from device_status s where s.device_id = any($1::uuid[])`,
    [devices],
  );
  return new Map(
    rows.map(({ id, unstable, last_seen }) => [id, { unstable, lastSeen: last_seen }]),
  );
}

/** When devices were heard, in milliseconds before this call. */
export interface HeardDevices {
  devices: { device: PrincipalId; agoMs: number }[];
  /**
   * From when to when, so long before this call, everything was heard; absent: there is no listener,
   * or more of what was heard follows with the next call.
   */
  listened?: { fromMs: number; toMs: number };
}

/** How late a statement may come to the database: ages are from before it. */
const MARGIN_MS = 5_000;

/** Stores when devices were heard, while the lease is held; false: it is not. */
export async function saveHeard(
  db: Database,
  lease: LeaseKey,
  { devices, listened }: HeardDevices,
): Promise<boolean> {
  const rows = await db.query<{ held: boolean }>(
    `with lease as materialized (
       select 1 from leases
       where name = $1 and holder = $2 and term = $3 and expires_at > clock_timestamp()),
     heard as (
       insert into device_status as s (device_id, last_seen)
       select d.id, clock_timestamp() - make_interval(secs => t.ago / 1000)
       from lease cross join unnest($4::uuid[], $5::float8[]) as t(device, ago)
       join devices d on d.id = t.device order by d.id
       on conflict (device_id) do update
         set last_seen = greatest(s.last_seen, excluded.last_seen)),
     listening as (
       insert into device_listening (name, since, until)
       select $1, clock_timestamp() - make_interval(secs => $6::float8 / 1000),
         clock_timestamp() - make_interval(secs => $7::float8 / 1000)
       from lease where $6::float8 is not null
       on conflict (name) do update set since = excluded.since, until = excluded.until)
     select exists (select 1 from lease) as held`,
    [
      lease.name,
      lease.holder,
      lease.term,
      devices.map(({ device }) => device),
      devices.map(({ agoMs }) => agoMs),
      listened?.fromMs ?? null,
      (listened?.toMs ?? 0) + MARGIN_MS,
    ],
  );
  return rows[0]?.held === true;
}

/** All that is known of whether a device is there. */
export interface StoredStatus {
  device: PublicPrincipal;
  online: boolean;
  unstable: boolean;
  session: number | string | null;
  since: Date | null;
  lastSeen: Date | null;
  expectedSeconds: number | null;
  silent: boolean;
}

interface StatusRow extends Row {
  id: string;
  name: string;
  online: boolean | null;
  unstable: boolean | null;
  session_number: number | null;
  session_text: string | null;
  since: Date | null;
  last_seen: Date | null;
  expected_seconds: number | null;
  silent: boolean | null;
}

/** The status of a device for its owner and for those who are in a room with it. */
export async function readStatus(
  db: Database,
  device: PrincipalId,
  viewer: PrincipalId,
): Promise<StoredStatus | undefined> {
  const rows = await db.query<StatusRow>(
    `select p.id, p.name, s.online, is_unstable(s) as unstable, s.since, s.last_seen,
       s.session_number, s.session_text, s.expected_seconds, s.silent
     from devices d join principals p on p.id = d.id
     left join device_status s on s.device_id = d.id
     where d.id = $1 and d.deleted_at is null and (d.owner_id = $2 or exists (
       select 1 from members x join members y on y.room_id = x.room_id
       join rooms r on r.id = x.room_id and r.deleted_at is null
       where x.principal_id = d.id and y.principal_id = $2))`,
    [device, viewer],
  );
  const row = rows[0];
  return row && {
    device: { id: row.id, kind: "device", name: row.name },
    online: row.online ?? false,
    unstable: row.unstable ?? false,
    session: row.session_number ?? row.session_text,
    since: row.since,
    lastSeen: row.last_seen,
    expectedSeconds: row.expected_seconds,
    silent: row.silent ?? false,
  };
}

/**
 * Sets how often a device should be heard, or that nothing is expected of it; false when `owner` has
 * no such device. The time begins to count when the number is another than before.
 */
export async function expectDevice(
  db: Database,
  device: PrincipalId,
  owner: PrincipalId,
  seconds: number | null,
): Promise<boolean> {
  const rows = await db.query(
    `insert into device_status as s (device_id, expected_seconds, expected_since)
     select d.id, $3::integer, case when $3::integer is null then null else clock_timestamp() end
     from devices d
     where d.id = $1 and d.owner_id = $2 and d.deleted_at is null and not d.personal
     on conflict (device_id) do update set
       expected_seconds = excluded.expected_seconds,
       expected_since = case when s.expected_seconds = excluded.expected_seconds
         then s.expected_since else excluded.expected_since end,
       silent = s.silent and excluded.expected_seconds is not null,
       silent_seen = case when excluded.expected_seconds is null then null else s.silent_seen end
     returning s.device_id`,
    [device, owner, seconds],
  );
  return rows.length > 0;
}
