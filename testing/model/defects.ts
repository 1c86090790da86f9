import { CatchUp, type Cursor, type Step } from "../../lib/client/catch_up.ts";
import { type PageLoad, Timeline } from "../../lib/client/timeline.ts";
import type { ErrorCode } from "../../lib/errors.ts";
import type { JoinOk, LogEntry } from "../../lib/protocol.ts";
import { Batch } from "../../lib/realtime/batch.ts";
import { LogOrder } from "../../lib/realtime/log_order.ts";
import { Subscription } from "../../lib/realtime/subscription.ts";
import { type Pieces, PRODUCTION } from "./pieces.ts";

class Repeating extends LogOrder {
  #again: LogEntry[] = [];

  override entries(entries: readonly LogEntry[]): void {
    for (const entry of entries) if (entry.seq <= (this.head ?? 0)) this.#again.push(entry);
    super.entries(entries);
  }

  override take(): LogEntry[] {
    return [...super.take(), ...this.#again.splice(0)];
  }
}

class Leaping extends LogOrder {
  override entries(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (this.head !== undefined && entry.seq > this.head) this.start(entry.seq - 1, entry.epoch);
      super.entries([entry]);
    }
  }
}

class Deaf extends LogOrder {
  override failed(): void {}
}

class WithoutAccess extends Batch {
  override get access(): readonly LogEntry[] {
    return [];
  }
}

class Unwatched extends Subscription {
  override take(batch: Batch): ErrorCode | undefined {
    return super.take(new WithoutAccess(batch.entries));
  }
}

class Forgetting extends Subscription {
  override take(batch: Batch): ErrorCode | undefined {
    return this.position === undefined ? undefined : super.take(batch);
  }
}

class Skipping extends CatchUp {
  override receive(entry: LogEntry): Step {
    const { cursor } = this;
    if (cursor !== undefined && entry.seq > cursor.seq) {
      this.start({ epoch: cursor.epoch, seq: entry.seq - 1 });
    }
    return super.receive(entry);
  }
}

class Rewinding extends CatchUp {
  override receive(entry: LogEntry): Step {
    const { cursor } = this;
    if (cursor !== undefined && entry.seq <= cursor.seq) {
      this.start({ epoch: cursor.epoch, seq: entry.seq - 1 });
    }
    return super.receive(entry);
  }
}

class Unrecorded extends Timeline {
  override beginLoad(): PageLoad {
    const load = super.beginLoad();
    load.abandon();
    return load;
  }
}

function resumeAtHead({ epoch, head, recovered }: JoinOk, cursor: Cursor | undefined) {
  return { cursor: { epoch, seq: head }, reset: cursor !== undefined && recovered !== true };
}

function resumeAlways({ epoch, head }: JoinOk, cursor: Cursor | undefined) {
  return { cursor: cursor ?? { epoch, seq: head }, reset: false };
}

/** Mistakes that such a system invites, each as the pieces of a world that makes it. */
export const DEFECTS: Record<string, Pieces> = {
  "a feed that takes an entry twice": { ...PRODUCTION, LogOrder: Repeating },
  "a feed that overlooks gaps": { ...PRODUCTION, LogOrder: Leaping },
  "a feed that reads no more after a failed read": { ...PRODUCTION, LogOrder: Deaf },
  "entries that are announced before their commit": { ...PRODUCTION, committedFirst: false },
  "beacons that are missing": { ...PRODUCTION, beacons: false },
  "beacons that compare two histories": { ...PRODUCTION, oneHistory: false },
  "joins that read before they subscribe": { ...PRODUCTION, placeFirst: false },
  "joins that drop what comes meanwhile": { ...PRODUCTION, Subscription: Forgetting },
  "replays that break off": { ...PRODUCTION, wholeReplays: false },
  "nodes that do not look at the epoch": { ...PRODUCTION, epochs: false },
  "removals that are overlooked": { ...PRODUCTION, Subscription: Unwatched },
  "clients that move the cursor before the replay": { ...PRODUCTION, resume: resumeAtHead },
  "clients that keep a cursor that is of no use": { ...PRODUCTION, resume: resumeAlways },
  "clients that overlook gaps": { ...PRODUCTION, CatchUp: Skipping },
  "clients that apply an entry twice": { ...PRODUCTION, CatchUp: Rewinding },
  "pages without the changes made while they came": { ...PRODUCTION, Timeline: Unrecorded },
};
