import type { Principal } from "../auth/principal.ts";
import type { ErrorCode } from "../errors.ts";
import type { LogEntry, RoomId, RoomRole } from "../protocol.ts";
import { concealBefore } from "../store/entry_rows.ts";
import { Batch } from "./batch.ts";

/** A connection as the hub sees it: a WebSocket or an SSE stream. Calls must not throw. */
export interface Subscriber {
  readonly principal: Principal;
  /** What was written to it and has not left yet, in bytes. */
  readonly bufferedBytes: number;
  /** Takes entries of a room, each room's in order. */
  entries(batch: Batch): void;
  /** Takes a signal, encoded as its WebSocket frame. */
  signal(frame: string): void;
  /** Told that nothing more of the room will come, and why. */
  evicted(room: RoomId, code: ErrorCode): void;
  /** Told where rooms stand, as changed since the last time. */
  heads(heads: Record<RoomId, number>): void;
}

const MAX_HELD = 2000;

/** One subscriber in one room, and how far it has been served. */
export class Subscription {
  /** The last seq that was handed over; undefined while it joins. */
  position: number | undefined;
  role: RoomRole | null = null;
  ended = false;
  /** States or readings of devices were left out, and it has not been told yet. */
  hasMissed = false;
  /** Why it ended before it began. */
  refusal: ErrorCode | undefined;
  #visibleFrom = 1;
  #held: LogEntry[] = [];

  constructor(readonly room: RoomId, readonly subscriber: Subscriber) {}

  /** Hands over what is new in `batch`, or holds it while joining. Ends at one's own removal. */
  take(batch: Batch): ErrorCode | undefined {
    if (this.ended) return;
    if (this.position === undefined) {
      this.#held.push(...batch.entries);
      return this.#held.length > MAX_HELD ? "overloaded" : undefined;
    }
    if (batch.last <= this.position) return;
    const end = this.#watch(batch.access);
    const part = this.#shown(batch).part(this.position, end?.seq);
    this.position = end?.seq ?? batch.last;
    if (part !== undefined) this.subscriber.entries(part);
    return end?.code;
  }

  /** Goes live after `position`: what was held and is newer follows at once. */
  begin(position: number, role: RoomRole | null, visibleFrom = 1): ErrorCode | undefined {
    this.position = position;
    this.role = role;
    this.#visibleFrom = visibleFrom;
    const held = this.#held;
    this.#held = [];
    return held.length === 0 ? undefined : this.take(new Batch(held));
  }

  #shown(batch: Batch): Batch {
    const me = this.subscriber.principal.id;
    if (this.#visibleFrom <= 1) return batch.for(me);
    return new Batch(batch.entries.map((e) => concealBefore(e, this.#visibleFrom)), me);
  }

  /** Follows one's own membership through new entries; says at which entry access ends. */
  #watch(entries: readonly LogEntry[]): { seq: number; code: ErrorCode } | undefined {
    const me = this.subscriber.principal.id;
    for (const { seq, event } of entries) {
      if (seq <= this.position!) continue;
      switch (event.type) {
        case "member.joined":
        case "member.role":
          if (event.member.principal.id === me) this.role = event.member.role;
          break;
        case "member.left":
        case "member.removed":
          if (event.principal.id === me) return { seq, code: "removed" };
          break;
        case "room.updated":
          if (event.settings.visibility === "private" && this.role === null) {
            return { seq, code: "removed" };
          }
      }
    }
  }
}
