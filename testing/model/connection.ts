import type { Principal } from "../../lib/auth/principal.ts";
import type { JoinOk, LogEntry, RoomId } from "../../lib/protocol.ts";
import type { Batch } from "../../lib/realtime/batch.ts";
import type { Cursor, Joined } from "../../lib/realtime/hub.ts";
import type { Subscriber, Subscription } from "../../lib/realtime/subscription.ts";
import { BrokenPromise } from "./broken_promise.ts";
import type { ModelNode } from "./node.ts";
import { PEOPLE } from "./stored_room.ts";
import type { Surroundings } from "./surroundings.ts";

/** A frame on its way to a client; `join` tells which request is answered. */
export type Frame =
  | { type: "ok"; room: RoomId; join: number; ok: JoinOk }
  | { type: "error"; room: RoomId; join: number; code: string }
  | { type: "event"; room: RoomId; entry: LogEntry }
  | { type: "evicted"; room: RoomId; code: string }
  | { type: "heads"; rooms: Record<RoomId, number> };

interface JoinedRoom {
  subscription: Subscription | undefined;
}

/** Frames that may wait for one reader; a slower one is cut off. */
const MAX_WAITING = 5;

/** One connection on its node: what `routes/socket_frames.ts` does with joins, and the wire. */
export class ModelConnection implements Subscriber {
  readonly bufferedBytes = 0;
  readonly principal: Principal;
  readonly rooms = new Map<RoomId, JoinedRoom>();
  /** Frames that have not reached the client, in order. */
  readonly wire: Frame[] = [];
  done = false;
  /** The last seq of each room that was handed over, as a client must be able to count on. */
  readonly #last = new Map<RoomId, number>();

  constructor(
    private readonly world: Surroundings,
    readonly node: ModelNode,
    readonly who: number,
  ) {
    this.principal = PEOPLE[who]!;
  }

  /** Takes a `join` frame. */
  join(room: RoomId, join: number, cursor: Cursor | undefined): void {
    const present = this.rooms.get(room);
    if (present?.subscription !== undefined) this.node.leave(present.subscription);
    const joining: JoinedRoom = { subscription: undefined };
    this.rooms.set(room, joining);
    this.node.join(this, room, cursor, {
      begin: (joined) => {
        if (this.done || this.rooms.get(room) !== joining) return false;
        this.#begin(room, join, joined, cursor);
        return true;
      },
      joined: (subscription) => {
        if (this.rooms.get(room) !== joining) this.node.leave(subscription);
        else joining.subscription = subscription;
      },
      refused: (code) => {
        if (this.rooms.get(room) === joining) this.rooms.delete(room);
        this.#send({ type: "error", room, join, code });
      },
    });
  }

  /** Takes a `leave` frame. */
  leave(room: RoomId): void {
    const subscription = this.rooms.get(room)?.subscription;
    if (subscription !== undefined) this.node.leave(subscription);
    this.rooms.delete(room);
  }

  /** Ends it, leaving all rooms; what was on its way is lost. */
  close(): void {
    if (this.done) return;
    this.done = true;
    this.wire.length = 0;
    for (const { subscription } of this.rooms.values()) {
      if (subscription !== undefined) this.node.leave(subscription);
    }
    this.rooms.clear();
  }

  /** True when its reader is too slow, and so cut off. */
  get overflows(): boolean {
    return this.wire.length > MAX_WAITING;
  }

  entries(batch: Batch): void {
    for (const entry of batch.entries) {
      this.#check(entry);
      this.#send({ type: "event", room: entry.room, entry });
    }
  }

  signal(): void {}

  evicted(room: RoomId, code: string): void {
    this.rooms.delete(room);
    this.#send({ type: "evicted", room, code });
  }

  heads(rooms: Record<RoomId, number>): void {
    this.#send({ type: "heads", rooms });
  }

  #begin(room: RoomId, join: number, joined: Joined, cursor: Cursor | undefined): void {
    const { view: { epoch, head, read, unread, role }, recovered } = joined;
    this.#last.set(room, recovered === true ? cursor!.after : head);
    const ok: JoinOk = { room, epoch, head, read, unread, role };
    if (recovered !== undefined) ok.recovered = recovered;
    this.#send({ type: "ok", room, join, ok });
  }

  /** A connection carries a room's entries in order and without gaps, to those with access. */
  #check({ room, epoch, seq }: LogEntry): void {
    const { store } = this.world;
    const last = this.#last.get(room)!;
    if (seq !== last + 1) {
      throw new BrokenPromise(`${this.principal.id} gets entry ${seq} of ${room} after ${last}`);
    }
    this.#last.set(room, seq);
    // Until a node hears of a restore, it may announce one history under the name of another
    if (epoch !== store.epoch) return;
    if (!store.admits(room, epoch, this.who, seq)) {
      throw new BrokenPromise(`${this.principal.id} gets entry ${seq} of ${room} without access`);
    }
  }

  #send(frame: Frame): void {
    if (!this.done) this.wire.push(frame);
  }
}
