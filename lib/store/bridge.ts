import type { Database, Row } from "../database/mod.ts";
import type { LogEntry, PrincipalId, RoomId } from "../protocol.ts";
import type { LeaseKey } from "./bridge_lease.ts";
import { entryOf, type EntryRow } from "./entry_rows.ts";
import { READ_BYTES } from "./log.ts";

/** A room that the bridge must look at. */
export interface StoredBridgeRoom {
  room: RoomId;
  head: number;
  cursor: number | undefined;
  /**
   * The lowest seq at which a present device member joined. Where only people were who had no
   * credentials yet: the one after the head, as these hear what comes from then on.
   */
  firstJoined: number | undefined;
}

interface BridgeRoomRow extends Row {
  epoch: string;
  id: string | null;
  head: number;
  cursor: number | null;
  first_joined: number | null;
}

/**
 * The rooms that have members which are devices, and those that have a cursor; and the epoch. A
 * device that is disabled counts: its room's cursor goes on without it, so that it does not hear
 * everything from its joining on again when it comes back.
 */
export async function readBridgeRooms(
  db: Database,
): Promise<{ epoch: string; rooms: StoredBridgeRoom[] }> {
  const rows = await db.query<BridgeRoomRow>(
    `select i.epoch, x.* from instance i left join (
     select r.id, r.head, c.seq as cursor,
       case when d.room_id is not null then coalesce(d.first_joined, r.head + 1) end
         as first_joined
     from rooms r
     left join bridge_cursors c on c.room_id = r.id
     left join (
       select m.room_id, min(m.joined_seq)
         filter (where not x.personal or m.joined_at > p.created_at) as first_joined
       from members m join devices x on x.member_id = m.principal_id
       join principals p on p.id = x.id
       where x.deleted_at is null
       group by m.room_id) d on d.room_id = r.id
     where r.deleted_at is null and (c.room_id is not null or d.room_id is not null)) x on true`,
  );
  const rooms = rows.flatMap((row) =>
    row.id === null ? [] : [{
      room: row.id,
      head: row.head,
      cursor: row.cursor ?? undefined,
      firstJoined: row.first_joined ?? undefined,
    }]
  );
  return { epoch: rows[0]?.epoch ?? "", rooms };
}

/**
 * The first entries of a room after a seq, as they are now (`readAt`, by the database's clock), with
 * the clientId of every message; at most READ_BYTES, so that fewer than `limit` do not mean that
 * these were all.
 * Seqs have no gap above the floor, so the page is a range of them: with a `limit` instead, a
 * planner without statistics reads the whole rest of the room first.
 */
export async function readEntriesAfter(
  db: Database,
  room: RoomId,
  after: number,
  limit: number,
): Promise<(LogEntry & { readAt: Date })[]> {
  const rows = await db.query<EntryRow & { epoch: string; read_at: Date }>(
    `select (select epoch from instance) as epoch, clock_timestamp() as read_at, e.* from rooms r
     cross join lateral log_page(
       r.id, greatest($2::bigint, r.floor) + 1, greatest($2::bigint, r.floor) + $3::bigint,
       $4, false) e
     where r.id = $1 order by e.seq`,
    [room, after, limit, READ_BYTES],
  );
  return rows.map((row) => ({ ...entryOf(row, row.epoch), readAt: row.read_at }));
}

/** A device that is in a room. */
export interface DeviceMember {
  id: PrincipalId;
  /** Who the member is: the device itself, or the person who speaks with it. */
  member: PrincipalId;
  /** What is older is not shown to it. */
  visibleFrom: number;
}

/**
 * The devices that were members when the log stood at `seq`: those who joined by then and are
 * still there, and those whose first change of membership after it was to go. Of these nothing else
 * is known any more: they count as seeing all.
 */
export async function readDevicesAt(
  db: Database,
  room: RoomId,
  seq: number,
): Promise<DeviceMember[]> {
  const rows = await db.query<{ id: string; member_id: string; visible_from: number }>(
    `select x.id, x.member_id, m.visible_from
     from members m join devices x on x.member_id = m.principal_id
     join principals p on p.id = x.id and p.disabled_at is null
     where m.room_id = $1 and m.joined_seq <= $2
     union all
     select x.id, x.member_id, 1 from (
       select distinct on (e.subject_id) e.subject_id, e.type from entries e
       where e.room_id = $1 and e.seq > $2
         and e.type in ('member.joined', 'member.left', 'member.removed')
       order by e.subject_id, e.seq) first
     join devices x on x.member_id = first.subject_id
     join principals p on p.id = x.id and p.disabled_at is null
     where first.type <> 'member.joined'`,
    [room, seq],
  );
  return rows.map((row) => ({
    id: row.id,
    member: row.member_id,
    visibleFrom: row.visible_from,
  }));
}

/** Stores cursors while the lease is held; false: it is not, and nothing was stored. */
export async function saveCursors(
  db: Database,
  lease: LeaseKey,
  cursors: ReadonlyMap<RoomId, number>,
): Promise<boolean> {
  // Sharing the lease's row makes a new holder wait for this, so that no late write follows its reads.
  const rows = await db.query<{ held: boolean }>(
    `with lease as materialized (
       select 1 from leases
       where name = $1 and holder = $2 and term = $3 and expires_at > clock_timestamp() for share),
     saved as (
       insert into bridge_cursors (room_id, seq)
       select r.id, t.seq from lease, unnest($4::uuid[], $5::bigint[]) as t(room, seq)
       join rooms r on r.id = t.room
       on conflict (room_id) do update set seq = excluded.seq)
     select exists (select 1 from lease) as held`,
    [lease.name, lease.holder, lease.term, [...cursors.keys()], [...cursors.values()]],
  );
  return rows[0]?.held === true;
}

/**
 * Forgets the cursors of those of these rooms that no device is in any more, while the lease is held.
 */
export async function dropCursors(db: Database, lease: LeaseKey, rooms: RoomId[]): Promise<void> {
  await db.query(
    `with lease as materialized (
       select 1 from leases
       where name = $1 and holder = $2 and term = $3 and expires_at > clock_timestamp() for share)
     delete from bridge_cursors c using lease where c.room_id = any ($4::uuid[])
       and not exists (
         select from members m join devices x on x.member_id = m.principal_id
         where m.room_id = c.room_id and x.deleted_at is null)`,
    [lease.name, lease.holder, lease.term, rooms],
  );
}

/** What a broker must know of a device. */
export interface StoredCredential {
  id: PrincipalId;
  generation: number;
  /** The generation whose username is the plain id. */
  plainGeneration: number;
  /** The secret before, which is good for so long by the database's clock. */
  former?: { generation: number; endsInMs: number };
  disabled: boolean;
  /** For good. */
  deleted?: boolean;
}

interface CredentialRow extends Row {
  id: string;
  generation: number;
  plain_generation: number;
  former_generation: number | null;
  ends_in_ms: number | null;
  disabled: boolean;
  deleted: boolean;
}

const CREDENTIALS =
  `select d.id, d.generation, d.plain_generation, p.disabled_at is not null as disabled,
    d.deleted_at is not null as deleted,
    case when d.former_until > now() then d.former_generation end as former_generation,
    (extract(epoch from d.former_until - now()) * 1000)::float8 as ends_in_ms
  from devices d join principals p on p.id = d.id`;

function credentialOf(row: CredentialRow): StoredCredential {
  const { id, generation, disabled, deleted, former_generation: former, ends_in_ms: endsInMs } =
    row;
  return {
    id,
    generation,
    plainGeneration: row.plain_generation,
    ...(former === null || endsInMs === null ? {} : { former: { generation: former, endsInMs } }),
    disabled,
    ...(deleted ? { deleted } : {}),
  };
}

/** The devices whose access has not ended. */
export async function readCredentials(db: Database): Promise<StoredCredential[]> {
  const rows = await db.query<CredentialRow>(
    `${CREDENTIALS} where p.disabled_at is null order by d.id`,
  );
  return rows.map(credentialOf);
}

/** Those of these ids that are devices, disabled or not. */
export async function readCredentialsOf(
  db: Database,
  ids: PrincipalId[],
): Promise<StoredCredential[]> {
  const rows = await db.query<CredentialRow>(`${CREDENTIALS} where d.id = any ($1::uuid[])`, [ids]);
  return rows.map(credentialOf);
}
