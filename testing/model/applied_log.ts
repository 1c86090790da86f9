import type { JoinOk, LogEntry, RoomId } from "../../lib/protocol.ts";
import { BrokenPromise } from "./broken_promise.ts";
import type { ModelStore } from "./store.ts";

/**
 * What one client applied of one room, counted without looking at its cursor: every entry after
 * the join or the last reset, in order, none twice, each as the log has it.
 */
export class AppliedLog {
  /** Where it stands; undefined before the first join. */
  last: { epoch: string; seq: number } | undefined;
  /** How many entries were applied. */
  count = 0;

  constructor(
    private readonly store: ModelStore,
    private readonly room: RoomId,
    private readonly name: string,
  ) {}

  /** A join was answered; a client that is not told `recovered` begins anew after the head. */
  joined({ epoch, head, recovered }: JoinOk, hadCursor: boolean): void {
    if (!hadCursor || recovered !== true) this.last = { epoch, seq: head };
  }

  apply({ epoch, seq, event }: LogEntry): void {
    const { last } = this;
    if (last === undefined || last.epoch !== epoch || seq !== last.seq + 1) {
      const before = last === undefined ? "nothing" : `${last.epoch}:${last.seq}`;
      throw new BrokenPromise(
        `${this.name} applies ${epoch}:${seq} of ${this.room} after ${before}`,
      );
    }
    if (epoch === this.store.epoch && this.store.stamp(this.room, epoch, seq) !== event.at) {
      throw new BrokenPromise(`${this.name} applies ${event.at} as entry ${seq} of ${this.room}`);
    }
    this.last = { epoch, seq };
    this.count++;
  }
}
