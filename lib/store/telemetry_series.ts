import type { Database, Row } from "../database/mod.ts";
import type { PrincipalId, RoomId } from "../protocol.ts";

/** Which part of a series is read, and in what steps. */
export interface SeriesRange {
  /** Both are multiples of `step` since 1970, `to` is not part of it. */
  from: Date;
  to: Date;
  /** Length of the buckets that are read, in seconds. */
  seconds: 10 | 60 | 3600;
  /** Length of the points, in seconds: a multiple of `seconds`. */
  step: number;
}

/** Readings of one step. */
export interface StoredPoint {
  at: Date;
  count: number;
  min: number;
  max: number;
  sum: number;
  last: number;
}

/**
 * Points of a metric's series, oldest first; steps without readings are left out. What the longer
 * buckets do not have yet is taken from those of ten seconds. No check of who asks.
 */
export async function readSeries(
  db: Database,
  room: RoomId,
  device: PrincipalId,
  metric: string,
  { from, to, seconds, step }: SeriesRange,
): Promise<StoredPoint[]> {
  return await db.query<StoredPoint & Row>(
    `select date_bin(make_interval(secs => $7), x.at, timestamptz 'epoch') as at,
       sum(x.count)::bigint as count, min(x.min) as min, max(x.max) as max, sum(x.sum) as sum,
       (array_agg(x.last order by x.last_at desc))[1] as last
     from (
       select b.at, b.count, b.min, b.max, b.sum, b.last, b.last_at from telemetry_buckets b
       where b.room_id = $1 and b.device_id = $2 and b.metric = $3 and b.seconds = $6
         and b.at >= $4 and b.at < $5
       union all
       select b.at, b.count - b.rolled_count, b.min, b.max, b.sum - b.rolled_sum, b.last, b.last_at
       from telemetry_buckets b
       where b.room_id = $1 and b.device_id = $2 and b.metric = $3 and b.seconds = 10
         and b.at >= $4 and b.at < $5 and b.fresh and b.count > b.rolled_count
         and $6::integer > 10) x
     group by 1 order by 1`,
    [room, device, metric, from, to, seconds, step],
  );
}

/** Rolls ten seconds up into minutes and hours, see `roll_telemetry`; answers with how many. */
export async function rollTelemetry(db: Database, most: number): Promise<number> {
  const rows = await db.query<{ taken: number }>(`select roll_telemetry($1) as taken`, [most], {
    timeoutMs: 10_000,
  });
  return rows[0]!.taken;
}

/** Deletes up to `most` buckets of a length that are older than `keepSeconds`, and rolled up. */
export async function deleteOldBuckets(
  db: Database,
  seconds: number,
  keepSeconds: number,
  most: number,
): Promise<number> {
  const rows = await db.query(
    `delete from telemetry_buckets b using (
       select x.room_id, x.device_id, x.metric, x.at from telemetry_buckets x
       where x.seconds = $1 and not x.fresh
         and x.at < clock_timestamp() - make_interval(secs => $2)
       order by x.at limit $3 for update skip locked) old
     where b.room_id = old.room_id and b.device_id = old.device_id and b.metric = old.metric
       and b.seconds = $1 and b.at = old.at
     returning 1`,
    [seconds, keepSeconds, most],
  );
  return rows.length;
}

/** Forgets metrics that had no reading for `keepSeconds`. */
export async function deleteOldMetrics(
  db: Database,
  keepSeconds: number,
  most: number,
): Promise<number> {
  const rows = await db.query(
    `delete from telemetry_latest t using (
       select x.room_id, x.device_id, x.metric from telemetry_latest x
       where x.stored_at < clock_timestamp() - make_interval(secs => $1)
       limit $2 for update skip locked) old
     where t.room_id = old.room_id and t.device_id = old.device_id and t.metric = old.metric
     returning 1`,
    [keepSeconds, most],
  );
  return rows.length;
}

/**
 * Forgets metrics that had no reading for `unseenSeconds` and that no rule is about, where a device
 * has `full` metrics or more in a room: it could have no other.
 */
export async function deleteCrowdingMetrics(
  db: Database,
  full: number,
  unseenSeconds: number,
  most: number,
): Promise<number> {
  const rows = await db.query(
    `delete from telemetry_latest t using (
       select x.room_id, x.device_id, x.metric from telemetry_latest x
       where x.stored_at < clock_timestamp() - make_interval(secs => $2)
         and (select count(*) from telemetry_latest y
              where y.room_id = x.room_id and y.device_id = x.device_id) >= $1
         and not exists (
           select 1 from telemetry_rules r
           where r.room_id = x.room_id and r.device_id = x.device_id
             and r.definition ->> 'metric' = x.metric)
       limit $3 for update skip locked) old
     where t.room_id = old.room_id and t.device_id = old.device_id and t.metric = old.metric
     returning 1`,
    [full, unseenSeconds, most],
  );
  return rows.length;
}

/**
 * Forgets writers that have stored nothing for a week: a bridge that the database was away for may
 * send its last batch again as long as it lives.
 */
export async function deleteOldWriters(db: Database, most: number): Promise<number> {
  const rows = await db.query(
    `delete from telemetry_writers w using (
       select x.id from telemetry_writers x where x.at < clock_timestamp() - interval '7 days'
       limit $1 for update skip locked) old
     where w.id = old.id returning 1`,
    [most],
  );
  return rows.length;
}

/** Forgets rules and drop counts of devices that are not in the room any more. */
export async function deleteLeftRules(db: Database, most: number): Promise<number> {
  const rows = await db.query(
    `with rules as (
       delete from telemetry_rules t using (
         select x.uid from telemetry_rules x where not exists (
           select 1 from members m where m.room_id = x.room_id and m.principal_id = x.device_id)
         limit $1 for update skip locked) old
       where t.uid = old.uid returning 1),
     drops as (
       delete from telemetry_drops t using (
         select x.room_id, x.device_id from telemetry_drops x where not exists (
           select 1 from members m where m.room_id = x.room_id and m.principal_id = x.device_id)
         limit $1 for update skip locked) old
       where t.room_id = old.room_id and t.device_id = old.device_id returning 1)
     select 1 from rules union all select 1 from drops`,
    [most],
  );
  return rows.length;
}
