import type { Database, Row } from "../database/mod.ts";
import type { MessageBody, PrincipalId, ReadingValue, RoomId, TelemetryRule } from "../protocol.ts";

/** A rule with what is known of its state. */
export interface StoredRule {
  room: RoomId;
  device: PrincipalId;
  rule: TelemetryRule;
  /** Names this definition: another one under the same id has another. */
  uid: string;
  /** Counts the changes of the state. */
  version: number;
  fired: boolean;
  /** The last value that became a message. */
  value: number | null;
  /** Readings that digests have told of. */
  seen: number;
  /** The message of this version, unless it is known to be stored. */
  pending: MessageBody | null;
  /** The stay in the room that the message belongs to, where there is one and that is known. */
  pendingStay?: number;
}

/** A rule about time that is to be looked at, and what is known of its metric. */
export interface DueRule extends StoredRule {
  /** Names the stay of the device in the room. */
  joinedSeq: number;
  /** Its time has come; otherwise it is here for its pending message. */
  due: boolean;
  /** The latest reading; null: there is none. */
  latest: { value: ReadingValue; at: Date; count: number } | null;
  /** Seconds since a reading came; null: none ever did. */
  quiet: number | null;
  /** Seconds until the next interval of a digest begins. */
  nextIn: number;
}

/**
 * The state of a rule as it shall be, unless it is another than `version` by now, or the device is
 * not in the room for this stay any more.
 */
export interface RuleChange {
  uid: string;
  version: number;
  joinedSeq: number;
  fired: boolean;
  value: number | null;
  seen: number;
  /** Seconds from now; null: as it is. */
  dueIn: number | null;
  pending: MessageBody | null;
}

interface RuleRow extends Row {
  room: string;
  device: string;
  id: string;
  definition: Omit<TelemetryRule, "id">;
  uid: string;
  version: number;
  fired: boolean;
  value: number | null;
  seen: number;
  pending: MessageBody & { joinedSeq?: number } | null;
}

/** How the message of a version became known. */
export interface SettledRule {
  uid: string;
  version: number;
  /** False: nobody is told, and the rule begins anew. */
  told: boolean;
}

const COLUMNS = `t.room_id as room, t.device_id as device, t.id, t.definition, t.uid, t.version,
  t.fired, t.value, t.seen, t.pending`;

const SPEAKERS = `join members m on m.room_id = y.room_id and m.principal_id = y.device_id
  join principals p on p.id = y.device_id and p.disabled_at is null
  join rooms r on r.id = y.room_id and r.deleted_at is null`;

function ruleOf(row: RuleRow): StoredRule {
  const { room, device, id, definition, uid, version, fired, value, seen } = row;
  const rule = { id, ...definition };
  const stored = { room, device, rule, uid, version, fired, value, seen };
  if (row.pending === null) return { ...stored, pending: null };
  const { joinedSeq, ...pending } = row.pending;
  return { ...stored, pending, ...(joinedSeq !== undefined && { pendingStay: joinedSeq }) };
}

/** The rules of devices in rooms, in their order; no check of who asks. */
export async function readRules(
  db: Database,
  pairs: { room: RoomId; device: PrincipalId }[],
): Promise<StoredRule[]> {
  const rows = await db.query<RuleRow>(
    `select ${COLUMNS} from unnest($1::uuid[], $2::uuid[]) x(room, device)
     join telemetry_rules t on t.room_id = x.room and t.device_id = x.device
     order by t.room_id, t.device_id, t.position`,
    [pairs.map(({ room }) => room), pairs.map(({ device }) => device)],
  );
  return rows.map(ruleOf);
}

/** Replaces the rules of a device in a room, see `put_telemetry_rules`; answers its outcome. */
export async function putRules(
  db: Database,
  room: RoomId,
  actor: PrincipalId,
  device: PrincipalId,
  rules: TelemetryRule[],
): Promise<string> {
  const rows = await db.query<{ outcome: string }>(
    `select put_telemetry_rules($1, $2, $3, $4::jsonb) as outcome`,
    [room, actor, device, JSON.stringify(rules)],
  );
  return rows[0]!.outcome;
}

/**
 * Up to `most` rules whose time has come, and up to `most` with a pending message, of devices that
 * are there to speak: what is left of others must not take the places of these.
 */
export async function readDueRules(db: Database, most: number): Promise<DueRule[]> {
  const rows = await db.query<
    RuleRow & {
      due: boolean;
      joined_seq: number;
      latest_value: ReadingValue | null;
      latest_at: Date | null;
      count: number | null;
      quiet: number | null;
      next_in: number;
    }
  >(
    `select ${COLUMNS}, j.joined_seq,
       j.role <> 'reader' and coalesce(t.due_at <= clock_timestamp(), false) as due,
       l.value as latest_value, l.at as latest_at, l.count,
       extract(epoch from clock_timestamp() - l.stored_at)::float8 as quiet,
       extract(epoch from date_bin(s.span, clock_timestamp(), timestamptz 'epoch') + s.span
         - clock_timestamp())::float8 as next_in
     from telemetry_rules t
     cross join lateral (
       select make_interval(secs => coalesce((t.definition ->> 'seconds')::float8, 1)) as span) s
     join members j on j.room_id = t.room_id and j.principal_id = t.device_id
     left join telemetry_latest l on l.room_id = t.room_id and l.device_id = t.device_id
       and l.metric = t.definition ->> 'metric'
     where t.uid in (
       (select y.uid from telemetry_rules y ${SPEAKERS}
        where y.due_at is not null and y.due_at <= clock_timestamp() and m.role <> 'reader'
        order by y.due_at limit $1)
       union
       (select y.uid from telemetry_rules y ${SPEAKERS}
        where y.pending is not null order by y.uid limit $1))`,
    [most],
  );
  return rows.map((row) => ({
    ...ruleOf(row),
    joinedSeq: row.joined_seq,
    due: row.due,
    latest: row.latest_value === null
      ? null
      : { value: row.latest_value, at: row.latest_at!, count: row.count! },
    quiet: row.quiet,
    nextIn: row.next_in,
  }));
}

/**
 * Stores states of rules; answers with the uids of those that nobody had changed before, and whose
 * devices are in their rooms for the same stay and may write there.
 */
export async function saveRules(db: Database, changes: RuleChange[]): Promise<string[]> {
  const rows = await db.query<{ uid: string }>(
    `update telemetry_rules t set version = t.version + 1, fired = x.fired, value = x.value,
       seen = x.seen, pending = x.pending::jsonb,
       due_at = case when x.due_in is null then t.due_at
         else clock_timestamp() + make_interval(secs => x.due_in) end
     from unnest($1::uuid[], $2::bigint[], $3::boolean[], $4::float8[], $5::bigint[],
       $6::float8[], $7::text[], $8::bigint[])
       x(uid, version, fired, value, seen, due_in, pending, stay)
     join members m on m.joined_seq = x.stay and m.role <> 'reader'
     where t.uid = x.uid and t.version = x.version and t.pending is null
       and m.room_id = t.room_id and m.principal_id = t.device_id
     returning t.uid`,
    [
      changes.map(({ uid }) => uid),
      changes.map(({ version }) => version),
      changes.map(({ fired }) => fired),
      changes.map(({ value }) => value),
      changes.map(({ seen }) => seen),
      changes.map(({ dueIn }) => dueIn),
      changes.map(({ pending, joinedSeq }) =>
        pending === null ? null : JSON.stringify({ ...pending, joinedSeq })
      ),
      changes.map(({ joinedSeq }) => joinedSeq),
    ],
  );
  return rows.map(({ uid }) => uid);
}

/** The messages of these versions are stored, or never will be. */
export async function settleRules(db: Database, settled: SettledRule[]): Promise<void> {
  await db.query(
    `update telemetry_rules t set pending = null, fired = t.fired and x.told,
       value = case when x.told then t.value end
     from unnest($1::uuid[], $2::bigint[], $3::boolean[]) x(uid, version, told)
     where t.uid = x.uid and t.version = x.version`,
    [
      settled.map(({ uid }) => uid),
      settled.map(({ version }) => version),
      settled.map(({ told }) => told),
    ],
  );
}
