import type { Database, Row, SqlValue } from "../database/mod.ts";
import type { PrincipalId, ReadingValue, RoomId } from "../protocol.ts";

/** Numeric readings of ten seconds; times are milliseconds since 1970. */
export interface ReadingBucket {
  at: number;
  count: number;
  min: number;
  max: number;
  sum: number;
  last: number;
  lastAt: number;
}

/** What has come of one metric: the latest, how many, and what of it is numeric. */
export interface MetricReadings {
  metric: string;
  value: ReadingValue;
  /** Milliseconds since 1970. */
  at: number;
  count: number;
  buckets: ReadingBucket[];
}

/** What has come of one device in one room. */
export interface SourceReadings {
  room: RoomId;
  device: PrincipalId;
  /** The stay in the room that it belongs to. */
  joinedSeq: number;
  /** Readings that were not taken. */
  dropped: number;
  metrics: MetricReadings[];
}

/** Readings that are stored together, once however often they are sent. */
export interface TelemetryBatch {
  /** A UUID. */
  writer: string;
  /** Above that of each batch of this writer before. */
  number: number;
  sources: SourceReadings[];
}

const STORE = `select gone from store_telemetry(
  $1, $2, array(
    select m.room_id
    from unnest($3::uuid[], $4::uuid[], $20::bigint[]) with ordinality s(room, device, stay, n)
    left join members m on m.room_id = s.room and m.principal_id = s.device
      and m.joined_seq = s.stay and m.role <> 'reader'
    order by s.n), $4::uuid[], $5::bigint[],
  $6::integer[], $7::text[], $8::text[], $9::float8[], $10::bigint[],
  $11::integer[], $12::text[], $13::float8[], $14::bigint[],
  $15::float8[], $16::float8[], $17::float8[], $18::float8[], $19::float8[]) gone`;

/**
 * Stores a batch, see `store_telemetry` of the schema; answers with the positions of the sources
 * that are not in their room, or read only there, or are not in it for the same stay any more. At
 * most one entry for a stay and metric.
 */
export async function storeTelemetry(
  db: Database,
  { writer, number, sources }: TelemetryBatch,
): Promise<number[]> {
  const latest = sources.flatMap(({ metrics }, i) => metrics.map((one) => ({ i: i + 1, ...one })));
  const buckets = latest.flatMap(({ i, metric, buckets }) =>
    buckets.map((bucket) => ({ ...bucket, i, metric }))
  );
  const column = <T>(items: T[], of: (item: T) => string | number): SqlValue => items.map(of);
  const rows = await db.query<{ gone: number }>(STORE, [
    writer,
    number,
    column(sources, ({ room }) => room),
    column(sources, ({ device }) => device),
    column(sources, ({ dropped }) => dropped),
    column(latest, ({ i }) => i),
    column(latest, ({ metric }) => metric),
    column(latest, ({ value }) => JSON.stringify(value)),
    column(latest, ({ at }) => at),
    column(latest, ({ count }) => count),
    column(buckets, ({ i }) => i),
    column(buckets, ({ metric }) => metric),
    column(buckets, ({ at }) => at),
    column(buckets, ({ count }) => count),
    column(buckets, ({ min }) => min),
    column(buckets, ({ max }) => max),
    column(buckets, ({ sum }) => sum),
    column(buckets, ({ last }) => last),
    column(buckets, ({ lastAt }) => lastAt),
    column(sources, ({ joinedSeq }) => joinedSeq),
  ]);
  return rows.map(({ gone }) => gone - 1);
}

/** What is known of the metrics of a device in a room; no check of who asks. */
export async function readLatest(
  db: Database,
  room: RoomId,
  device: PrincipalId,
): Promise<{ metric: string; value: ReadingValue; at: Date; count: number }[]> {
  return await db.query<LatestRow>(
    `select metric, value, at, count from telemetry_latest
     where room_id = $1 and device_id = $2 order by metric collate "C"`,
    [room, device],
  );
}

interface LatestRow extends Row {
  metric: string;
  value: ReadingValue;
  at: Date;
  count: number;
}

/** How many readings of a device were not stored. */
export async function readDropped(
  db: Database,
  room: RoomId,
  device: PrincipalId,
): Promise<number> {
  const rows = await db.query<{ dropped: number }>(
    `select dropped from telemetry_drops where room_id = $1 and device_id = $2`,
    [room, device],
  );
  return rows[0]?.dropped ?? 0;
}

/** A device in a room, as the bridge must know it before it takes readings. */
export interface StoredPlace {
  room: RoomId;
  device: PrincipalId;
  /** Names the stay in the room. */
  joinedSeq: number;
  /** It may not write there, nor measure. */
  reader: boolean;
  metrics: string[];
  /** When the newest reading of each metric was taken, in milliseconds since 1970. */
  newest: Record<string, number>;
}

/** Those of these pairs where the device is in the room, with the names of its metrics. */
export async function readPlaces(
  db: Database,
  pairs: { room: RoomId; device: PrincipalId }[],
): Promise<StoredPlace[]> {
  return await db.query<StoredPlace & Row>(
    `select m.room_id as room, m.principal_id as device, m.joined_seq as "joinedSeq",
       m.role = 'reader' as reader, array(
       select t.metric from telemetry_latest t
       where t.room_id = m.room_id and t.device_id = m.principal_id) as metrics, (
       select coalesce(jsonb_object_agg(t.metric, extract(epoch from t.at) * 1000), '{}')
       from telemetry_latest t
       where t.room_id = m.room_id and t.device_id = m.principal_id) as newest
     from unnest($1::uuid[], $2::uuid[]) x(room, device)
     join members m on m.room_id = x.room and m.principal_id = x.device
     join principals p on p.id = x.device and p.kind = 'device' and p.disabled_at is null
     join rooms r on r.id = x.room and r.deleted_at is null`,
    [pairs.map(({ room }) => room), pairs.map(({ device }) => device)],
  );
}
