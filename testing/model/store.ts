import type { LogEntry, RoomId, RoomRole } from "../../lib/protocol.ts";
import type { RoomView } from "../../lib/store/room_view.ts";
import { type Change, StoredRoom } from "./stored_room.ts";

/** The database of the model: logs of rooms, committed in order, each read from one snapshot. */
export class ModelStore {
  epoch = "e1";
  #rooms = new Map<RoomId, StoredRoom>();
  #stamps = 0;
  #epochs = 1;
  /** The rooms as they were when the epochs before this one ended, or are still. */
  readonly #ended = new Map<string, Map<RoomId, StoredRoom>>();

  /** `founding`: how many entries of each room no restore takes away. */
  constructor(readonly rooms: readonly RoomId[], private readonly founding = 0) {
    for (const id of rooms) this.#rooms.set(id, new StoredRoom(id));
  }

  /** Commits a change; returns its seq, or undefined when it is refused. */
  commit(room: RoomId, change: Change): number | undefined {
    const stored = this.#room(room);
    return stored.apply(change, `t${++this.#stamps}`) ? stored.head : undefined;
  }

  head(room: RoomId): number {
    return this.#room(room).head;
  }

  sees(room: RoomId, who: number): boolean {
    return this.#room(room).sees(who);
  }

  /** One's role; null for somebody else. */
  role(room: RoomId, who: number): RoomRole | null {
    return this.#room(room).members.get(who) ?? null;
  }

  /** The seq of the `n`th newest message, or of one of the newest when there are not as many. */
  newest(room: RoomId, n: number): number {
    const seqs = [...this.#room(room).messages.keys()];
    return seqs.at(-1 - n % seqs.length)!;
  }

  /** The entry as it is now, under any epoch. */
  entry(room: RoomId, seq: number, epoch = this.epoch): LogEntry {
    return this.#room(room).render(seq, epoch);
  }

  /** As `readEntries` in `lib/store/log.ts`. */
  entries(room: RoomId, from: number, to: number): LogEntry[] {
    const stored = this.#room(room);
    const found: LogEntry[] = [];
    for (let seq = from; seq <= Math.min(to, stored.head); seq++) {
      found.push(stored.render(seq, this.epoch));
    }
    return found;
  }

  /** As `readHeads`. */
  heads(rooms: Iterable<RoomId>): { epoch: string; heads: Map<RoomId, number> } {
    const heads = new Map<RoomId, number>();
    for (const room of rooms) heads.set(room, this.head(room));
    return { epoch: this.epoch, heads };
  }

  /** As `readLogAs`. */
  logAs(room: RoomId, who: number, after: number, limit: number) {
    const stored = this.#room(room);
    if (!stored.sees(who)) return undefined;
    const view: RoomView = {
      epoch: this.epoch,
      head: stored.head,
      floor: 0,
      role: stored.members.get(who) ?? null,
      visibleFrom: 1,
      read: 0,
      unread: 0,
    };
    return { view, entries: limit === 0 ? [] : this.entries(room, after + 1, after + limit) };
  }

  /** The newest `limit` messages before a seq, as `readMessagesAs`. */
  messagesAs(room: RoomId, who: number, limit: number, before = Infinity) {
    const stored = this.#room(room);
    if (!stored.sees(who)) return undefined;
    const messages = [...stored.messages.values()].filter(({ seq }) => seq < before);
    return {
      messages: messages.slice(-limit),
      head: stored.head,
      epoch: this.epoch,
      hasMore: messages.length > limit,
    };
  }

  /** Names a new epoch, if `old` is still the one in force; as `rotateEpoch`. */
  rotate(old: string): string {
    if (old === this.epoch) this.#endEpoch();
    return this.epoch;
  }

  /** Goes back to a backup that lacks the last `entries` of each room, and names a new epoch. */
  restore(entries: number): void {
    this.#endEpoch();
    for (const [id, { rows }] of this.#rooms) {
      const room = new StoredRoom(id);
      const kept = rows.slice(0, Math.max(this.founding, rows.length - entries));
      for (const { change, stamp } of kept) {
        room.apply(change, stamp);
      }
      this.#rooms.set(id, room);
    }
  }

  /** What names entry `seq` in the log of an epoch; undefined when there is none. */
  stamp(room: RoomId, epoch: string, seq: number): string | undefined {
    return this.#roomIn(room, epoch)?.rows[seq - 1]?.stamp;
  }

  /** Whether a person may know of entry `seq`: has had access just before it, or at any time since. */
  admits(room: RoomId, epoch: string, who: number, seq: number): boolean {
    const access = this.#roomIn(room, epoch)?.access ?? [];
    for (let at = seq - 1; at < access.length; at++) {
      if ((access[at]! & (1 << who)) !== 0) return true;
    }
    return false;
  }

  #endEpoch(): void {
    this.#ended.set(this.epoch, new Map(this.#rooms));
    this.epoch = `e${++this.#epochs}`;
  }

  #room(room: RoomId): StoredRoom {
    return this.#rooms.get(room)!;
  }

  #roomIn(room: RoomId, epoch: string): StoredRoom | undefined {
    return epoch === this.epoch ? this.#room(room) : this.#ended.get(epoch)?.get(room);
  }
}
