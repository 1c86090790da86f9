import type { RoomRole } from "../protocol.ts";

/** A room as one snapshot shows it to one principal. */
export interface RoomView {
  epoch: string;
  head: number;
  floor: number;
  /** Null: not a member, the room is public. */
  role: RoomRole | null;
  visibleFrom: number;
  read: number;
  unread: number;
}

/** The columns of a view, and the epoch. */
export interface RoomViewRow {
  head: number;
  floor: number;
  epoch: string;
  role: RoomRole | null;
  visible_from: number | null;
  read: number | null;
  unread: number | null;
}

/** The epoch as a column: a scalar, so that the planner does not take the one row for a thousand. */
export const EPOCH = `(select epoch from instance) as epoch`;

/** Joins the room `r` (a uuid) and what the principal `who` is in it. Use with VISIBLE. */
export function viewOfRoom(room: string, who: string): string {
  return `join rooms r on r.id = ${room} and r.deleted_at is null
    join principals me on me.id = ${who} and me.disabled_at is null
    left join members m on m.room_id = r.id and m.principal_id = me.id
    left join lateral room_progress(r, m) progress on m.role is not null`;
}

/** A device sees only rooms it is a member of; everybody else also sees public ones. */
export const VISIBLE = `(m.role is not null or (r.visibility = 'public' and me.kind <> 'device'))`;

/** The columns of RoomViewRow after viewOfRoom(). */
export const VIEW_COLUMNS = `r.head, r.floor, m.role, m.visible_from, progress.read,
  progress.unread`;

/** The view of a row. */
export function viewOf(row: RoomViewRow): RoomView {
  return {
    epoch: row.epoch,
    head: row.head,
    floor: row.floor,
    role: row.role,
    visibleFrom: row.visible_from ?? 1,
    read: row.read ?? 0,
    unread: row.unread ?? 0,
  };
}
