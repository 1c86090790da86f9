import type { Database, Row } from "../database/mod.ts";
import type { DeviceState, Metadata, PrincipalId, PrincipalKind, RoomId } from "../protocol.ts";
import { stateDelta } from "../state_delta.ts";

/** A device in a room. */
export interface StateKey {
  room: RoomId;
  device: PrincipalId;
}

interface StateRow extends Row {
  room_id: string;
  id: string;
  kind: PrincipalKind;
  name: string;
  desired: Metadata | null;
  desired_version: number | null;
  desired_at: Date | null;
  by_id: string | null;
  by_kind: PrincipalKind | null;
  by_name: string | null;
  reported: Metadata | null;
  reported_version: number | null;
  reported_at: Date | null;
}

const COLUMNS = `m.room_id, p.id, p.kind, p.name, s.desired, s.desired_version, s.desired_at,
  w.id as by_id, w.kind as by_kind, w.name as by_name,
  s.reported, s.reported_version, s.reported_at`;
/** After `members m`. */
const STATE = `join devices d on d.id = m.principal_id
  join principals p on p.id = d.id
  left join device_states s on s.room_id = m.room_id and s.device_id = m.principal_id
  left join principals w on w.id = s.desired_by`;

function stateOf(row: StateRow): DeviceState {
  const { desired, desired_at: desiredAt, reported, reported_at: reportedAt } = row;
  const by = row.by_id === null
    ? undefined
    : { id: row.by_id, kind: row.by_kind!, name: row.by_name! };
  return {
    device: { id: row.id, kind: row.kind, name: row.name },
    ...(desired === null ? {} : { desired }),
    desiredVersion: row.desired_version ?? 0,
    ...(desiredAt === null ? {} : { desiredAt: desiredAt.toISOString() }),
    ...(by === undefined ? {} : { desiredBy: by }),
    ...(reported === null ? {} : { reported }),
    reportedVersion: row.reported_version ?? 0,
    ...(reportedAt === null ? {} : { reportedAt: reportedAt.toISOString() }),
    delta: stateDelta(desired ?? {}, reported ?? {}),
  };
}

/** The states of devices in rooms, those that are in them; no check of who asks. */
export async function readStates(
  db: Database,
  keys: readonly StateKey[],
): Promise<{ room: RoomId; state: DeviceState }[]> {
  const rows = await db.query<StateRow>(
    `select ${COLUMNS} from unnest($1::uuid[], $2::uuid[]) as k(room, device)
     join members m on m.room_id = k.room and m.principal_id = k.device ${STATE}`,
    [keys.map(({ room }) => room), keys.map(({ device }) => device)],
  );
  return rows.map((row) => ({ room: row.room_id, state: stateOf(row) }));
}

/** The devices of a room in the order of their ids, after the id `after`; no check of who asks. */
export async function listStates(
  db: Database,
  room: RoomId,
  after: PrincipalId | null,
  limit: number,
): Promise<DeviceState[]> {
  const rows = await db.query<StateRow>(
    `select ${COLUMNS} from members m ${STATE}
     where m.room_id = $1 and ($2::uuid is null or m.principal_id > $2::uuid)
     order by m.principal_id limit $3`,
    [room, after, limit],
  );
  return rows.map(stateOf);
}

/**
 * Where something was wished for, in an order, after a key: of some devices, or (`devices` null) of
 * all. For bridges, which show it to the devices again.
 */
export async function readDesiredKeys(
  db: Database,
  devices: PrincipalId[] | null,
  after: StateKey | null,
  limit: number,
): Promise<StateKey[]> {
  const rows = await db.query<{ room_id: string; device_id: string }>(
    `select s.room_id, s.device_id from device_states s
     where s.desired is not null and ($1::uuid[] is null or s.device_id = any ($1::uuid[]))
       and ($2::uuid is null or (s.device_id, s.room_id) > ($2::uuid, $3::uuid))
     order by s.device_id, s.room_id limit $4`,
    [devices, after?.device ?? null, after?.room ?? null, limit],
  );
  return rows.map(({ room_id, device_id }) => ({ room: room_id, device: device_id }));
}

/** What a wish came to, see `set_desired_state` of the schema. */
export interface DesiredOutcome {
  outcome: string;
  seq: number | null;
  version: number | null;
}

/** Wishes for a state of a device, see `set_desired_state`. */
export async function setDesired(
  db: Database,
  wish: StateKey & {
    actor: PrincipalId;
    expected: number | null;
    desired: string;
    clientId: string | null;
    hash: string | null;
  },
): Promise<DesiredOutcome> {
  const rows = await db.query<DesiredOutcome & Row>(
    `select outcome, seq, version from set_desired_state($1, $2, $3, $4, $5::jsonb, $6, $7::uuid)`,
    [wish.room, wish.actor, wish.device, wish.expected, wish.desired, wish.clientId, wish.hash],
  );
  const { outcome, seq, version } = rows[0]!;
  return { outcome, seq, version };
}

/** What a report came to, see `report_state` of the schema. */
export interface ReportOutcome {
  outcome: string;
  /** What was reported before. */
  former: Metadata | null;
  desired: Metadata | null;
}

/** Stores what a device reports (null: nothing any more), see `report_state`. */
export async function reportState(
  db: Database,
  { room, device }: StateKey,
  reported: string | null,
): Promise<ReportOutcome> {
  const rows = await db.query<ReportOutcome & Row>(
    `select outcome, former, wished as desired from report_state($1, $2, $3::jsonb)`,
    [room, device, reported],
  );
  const { outcome, former, desired } = rows[0]!;
  return { outcome, former, desired };
}
