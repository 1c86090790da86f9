import type { Database, Row } from "../database/mod.ts";
import type { JoinedRoom, Member, Metadata, PrincipalKind, Room, RoomRole } from "../protocol.ts";

interface RoomRow extends Row {
  id: string;
  kind: "group" | "direct";
  name: string;
  topic: string;
  visibility: "public" | "private";
  metadata: Metadata;
  head: number;
  floor: number;
  created_at: Date;
  role: RoomRole | null;
  read: number | null;
  unread: number | null;
  peer_id: string | null;
  peer_kind: PrincipalKind | null;
  peer_name: string | null;
}

const COLUMNS = `r.id, r.kind, r.name, r.topic, r.visibility, r.metadata, r.head, r.floor,
  r.created_at, m.role, progress.read, progress.unread,
  peer.id as peer_id, peer.kind as peer_kind, peer.name as peer_name`;
// $1 is the principal who looks. The name of a direct room is the other person's.
const EXTRAS = `
  left join lateral room_progress(r, m) progress on m.role is not null
  left join lateral (
    select p.id, p.kind, p.name from members o join principals p on p.id = o.principal_id
    where r.kind = 'direct' and o.room_id = r.id and o.principal_id <> $1 limit 1) peer on true`;

function roomOf(row: RoomRow): Room | JoinedRoom {
  const room: Room = {
    id: row.id,
    kind: row.kind,
    name: row.peer_name ?? row.name,
    topic: row.topic,
    visibility: row.visibility,
    metadata: row.metadata,
    head: row.head,
    floor: row.floor,
    createdAt: row.created_at.toISOString(),
  };
  if (row.role === null) return room;
  const joined: JoinedRoom = { ...room, role: row.role, read: row.read!, unread: row.unread! };
  if (row.peer_id !== null) {
    joined.peer = { id: row.peer_id, kind: row.peer_kind!, name: row.peer_name! };
  }
  return joined;
}

/** Makes a group room with its owner as first member. */
export async function createRoom(db: Database, room: {
  id: string;
  creator: string;
  name: string;
  topic: string;
  visibility: string;
  metadata: string;
}): Promise<void> {
  await db.query(
    `select create_room($1, $2, $3, $4, $5, $6::jsonb)`,
    [room.id, room.creator, room.name, room.topic, room.visibility, room.metadata],
  );
}

/** The direct room of two people, see `open_direct`; `candidate` becomes its id when it is new. */
export async function openDirect(
  db: Database,
  candidate: string,
  actor: string,
  peer: string,
): Promise<{ outcome: string; room: string | null }> {
  const rows = await db.query<{ outcome: string; room: string | null }>(
    `select outcome, room from open_direct($1, $2, $3, $4)`,
    [candidate, actor, peer, [actor, peer].sort().join(":")],
  );
  return rows[0]!;
}

/** A room as a principal may see it (a JoinedRoom for members); undefined otherwise. */
export async function readRoomAs(
  db: Database,
  room: string,
  principal: string,
): Promise<Room | JoinedRoom | undefined> {
  const rows = await db.query<RoomRow>(
    `select ${COLUMNS} from rooms r
     join principals me on me.id = $1 and me.disabled_at is null
     left join members m on m.room_id = r.id and m.principal_id = $1 ${EXTRAS}
     where r.id = $2 and r.deleted_at is null
       and (m.role is not null or (r.visibility = 'public' and me.kind <> 'device'))`,
    [principal, room],
  );
  return rows[0] && roomOf(rows[0]);
}

/** The rooms of a principal in the order of their ids, after the id `after`. */
export async function listJoinedRooms(
  db: Database,
  principal: string,
  after: string | null,
  limit: number,
): Promise<JoinedRoom[]> {
  const rows = await db.query<RoomRow>(
    `select ${COLUMNS} from members m
     join rooms r on r.id = m.room_id and r.deleted_at is null ${EXTRAS}
     where m.principal_id = $1 and ($2::uuid is null or m.room_id > $2::uuid)
     order by m.room_id limit $3`,
    [principal, after, limit],
  );
  return rows.map((row) => roomOf(row) as JoinedRoom);
}

/** Public rooms whose name contains `q`, by name; `after` is the last (name, id) seen. */
export async function listPublicRooms(
  db: Database,
  principal: string,
  q: string,
  after: { name: string; id: string } | null,
  limit: number,
): Promise<(Room | JoinedRoom)[]> {
  const rows = await db.query<RoomRow>(
    `select ${COLUMNS} from rooms r
     left join members m on m.room_id = r.id and m.principal_id = $1 ${EXTRAS}
     where r.visibility = 'public' and r.deleted_at is null
       and strpos(lower(r.name), lower($2)) > 0
       and ($3::text is null or (lower(r.name), r.id) > (lower($3::text), $4::uuid))
     order by lower(r.name), r.id limit $5`,
    [principal, q, after?.name ?? null, after?.id ?? null, limit],
  );
  return rows.map(roomOf);
}

/** Members in the order of their ids, after the id `after`; no check of who asks. */
export async function listMembers(
  db: Database,
  room: string,
  after: string | null,
  limit: number,
): Promise<Member[]> {
  const rows = await db.query<
    { id: string; kind: PrincipalKind; name: string; role: RoomRole; joined_seq: number }
  >(
    `select p.id, p.kind, p.name, m.role, m.joined_seq
     from members m join principals p on p.id = m.principal_id
     where m.room_id = $1 and ($2::uuid is null or m.principal_id > $2::uuid)
     order by m.principal_id limit $3`,
    [room, after, limit],
  );
  return rows.map(({ id, kind, name, role, joined_seq }) => ({
    principal: { id, kind, name },
    role,
    joinedSeq: joined_seq,
  }));
}

/** One membership; undefined when there is none. */
export async function readMember(
  db: Database,
  room: string,
  principal: string,
): Promise<Member | undefined> {
  const rows = await db.query<
    { id: string; kind: PrincipalKind; name: string; role: RoomRole; joined_seq: number }
  >(
    `select p.id, p.kind, p.name, m.role, m.joined_seq
     from members m join principals p on p.id = m.principal_id
     where m.room_id = $1 and m.principal_id = $2`,
    [room, principal],
  );
  const row = rows[0];
  return row && {
    principal: { id: row.id, kind: row.kind, name: row.name },
    role: row.role,
    joinedSeq: row.joined_seq,
  };
}

/**
 * Raises a member's read cursor to `seq`, never beyond the head and never back.
 * Returns where it stands at least, and whether this moved it; undefined when the principal is
 * not a member.
 */
export async function raiseRead(
  db: Database,
  room: string,
  principal: string,
  seq: number,
): Promise<{ read: number; unread: number; moved: boolean } | undefined> {
  const rows = await db.query<{ read: number; unread: number; moved: boolean }>(
    `with raised as (
       update members m set read_seq = least($3, r.head)
       from rooms r
       where r.id = $1 and r.deleted_at is null and m.room_id = r.id and m.principal_id = $2
         and m.read_seq < least($3, r.head)
       returning m.read_seq),
     standing as (
       select m.room_id, m.principal_id, m.role, m.joined_seq, m.visible_from,
              greatest(m.read_seq, least($3, r.head)) as read_seq, m.joined_at
       from members m join rooms r on r.id = m.room_id
       where m.room_id = $1 and m.principal_id = $2)
     select p.read, p.unread, exists (select 1 from raised) as moved from standing s
     join rooms r on r.id = s.room_id and r.deleted_at is null
     cross join lateral room_progress(r, row(
       s.room_id, s.principal_id, s.role, s.joined_seq, s.visible_from, s.read_seq,
       s.joined_at)::members) p`,
    [room, principal, seq],
  );
  return rows[0];
}
