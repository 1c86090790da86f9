import type { Principal } from "../lib/auth/principal.ts";
import type { LogEntry, RoomId, ServerFrame, Signal } from "../lib/protocol.ts";
import type { Batch } from "../lib/realtime/batch.ts";
import type { Hub, Joined } from "../lib/realtime/hub.ts";
import type { Cursor } from "../lib/realtime/hub.ts";
import type { Subscriber, Subscription } from "../lib/realtime/subscription.ts";

/** A subscriber that notes what it gets, as it would be on the wire. */
export class RecordedSubscriber implements Subscriber {
  /** Everything in order: `joined`, entries as `room:seq`, `evicted:code`, `heads`. */
  readonly story: string[] = [];
  readonly seen: LogEntry[] = [];
  readonly signals: Signal[] = [];
  readonly evictions: { room: RoomId; code: string }[] = [];
  readonly told: Record<RoomId, number>[] = [];
  joined: Joined | undefined;
  bufferedBytes = 0;

  constructor(readonly principal: Principal) {}

  /** Joins a room and notes the answer. */
  async join(hub: Hub, room: RoomId, cursor?: Cursor): Promise<Subscription> {
    return await hub.join(this, room, cursor, (joined) => {
      this.joined = joined;
      this.story.push("joined");
    });
  }

  /** The numbers of the entries of `room`, or of all. */
  seqs(room?: RoomId): number[] {
    return this.seen.filter((entry) => room === undefined || entry.room === room)
      .map(({ seq }) => seq);
  }

  entries(batch: Batch): void {
    const frames = JSON.parse(`[${batch.frames}]`) as Extract<ServerFrame, { type: "event" }>[];
    for (const { type: _, ...entry } of frames) {
      this.seen.push(entry);
      this.story.push(`entry:${entry.seq}`);
    }
  }

  signal(frame: string): void {
    this.signals.push((JSON.parse(frame) as Extract<ServerFrame, { type: "signal" }>).signal);
  }

  evicted(room: RoomId, code: string): void {
    this.evictions.push({ room, code });
    this.story.push(`evicted:${code}`);
  }

  heads(heads: Record<RoomId, number>): void {
    this.told.push(heads);
    this.story.push("heads");
  }
}

/** The numbers `from` to `to`. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
