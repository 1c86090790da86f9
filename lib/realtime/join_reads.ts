import type { LogEntry, PrincipalId } from "../protocol.ts";
import { concealBefore } from "../store/entry_rows.ts";
import type { Joiner, JoinView } from "../store/join_views.ts";
import type { RoomView } from "../store/room_view.ts";
import { overloaded } from "./admission.ts";
import { Batch } from "./batch.ts";

/** Where a client stood in a room when it was last connected. */
export interface Cursor {
  epoch?: string;
  after: number;
}

/** What a join came to; `recovered` only when there was a cursor. */
export interface Joined {
  view: RoomView;
  recovered?: boolean;
}

/** What a join came to, and the entries after the cursor when it recovered and there are any. */
export interface JoinFound extends Joined {
  replay: Batch | undefined;
}

/** What reads for joins work with. */
export interface JoinReadsOptions {
  /** Calls `take` when the store can be read, and reads for those it returns, see readJoinViews(). */
  read(
    take: () => Joiner[],
  ): Promise<{ views: (JoinView | undefined)[]; entries: LogEntry[] }>;
  /** The epoch in force. */
  epoch(): string;
  /** Bytes that one join replays at most (UTF-16 units count as bytes). */
  replayBytes: number;
}

interface Waiting {
  joiner: Joiner;
  cursor: Cursor | undefined;
  giveUpAt: number;
  resolve(found: JoinFound | undefined): void;
  reject(error: unknown): void;
}

/** Joiners in one statement. */
const MAX_JOINERS = 500;
/** How long a join waits for its read to begin, in milliseconds. */
const WAIT_MS = 5000;
/** What is handed over before other events have their turn, in UTF-16 units. */
const SLICE_CHARS = 4 * 1024 * 1024;

/**
 * Reads what those who join one room need, one read at a time: whoever comes while one is under
 * way shares the next, so that a thousand who come back at once cost a few statements. What a
 * joiner gets is from a snapshot that was taken after read() was called.
 */
export class JoinReads {
  #waiting: Waiting[] = [];
  #running = false;

  constructor(private readonly options: JoinReadsOptions) {}

  /**
   * What `principal` sees of the room; undefined when that is nothing.
   *
   * @throws {ConfabError} `overloaded` when too many wait
   */
  read(principal: PrincipalId, cursor: Cursor | undefined): Promise<JoinFound | undefined> {
    return new Promise((resolve, reject) => {
      const known = cursor?.epoch === undefined || cursor.epoch === this.options.epoch();
      const joiner = { principal, after: known ? cursor?.after : undefined };
      const giveUpAt = performance.now() + WAIT_MS;
      this.#waiting.push({ joiner, cursor, giveUpAt, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Those of the same turn of the event loop go together.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#readOnce();
    this.#running = false;
  }

  /** Answers some of those who wait; all who came before it, when they are not too many. */
  async #readOnce(): Promise<void> {
    const present = this.#waiting.length;
    let taken: Waiting[] | undefined;
    try {
      const { views, entries } = await this.options.read(() => {
        taken = this.#take();
        return taken.map(({ joiner }) => joiner);
      });
      await this.#answer(taken!, views, entries);
    } catch (error) {
      for (const { reject } of taken ?? this.#waiting.splice(0, present)) reject(error);
    }
  }

  #take(): Waiting[] {
    const now = performance.now();
    const late = this.#waiting.findIndex(({ giveUpAt }) => giveUpAt > now);
    for (const { reject } of this.#waiting.splice(0, late === -1 ? this.#waiting.length : late)) {
      reject(overloaded());
    }
    return this.#waiting.splice(0, MAX_JOINERS);
  }

  /** Answers in the order of the cursors: the same replay is then encoded once, and let go. */
  async #answer(
    taken: Waiting[],
    views: (JoinView | undefined)[],
    entries: LogEntry[],
  ): Promise<void> {
    const replays = new Replays(entries);
    const order = taken.map((waiting, i) => ({ waiting, view: views[i] }))
      .sort((a, b) =>
        (b.view?.first ?? 0) - (a.view?.first ?? 0) ||
        (b.view?.visibleFrom ?? 0) - (a.view?.visibleFrom ?? 0)
      );
    let chars = 0;
    for (const { waiting, view } of order) {
      const found = view && this.#found(waiting, view, replays);
      chars += found?.replay?.frames.length ?? 0;
      waiting.resolve(found);
      if (chars < SLICE_CHARS) continue;
      chars = 0;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  #found({ joiner, cursor }: Waiting, shown: JoinView, replays: Replays): JoinFound {
    const { first, ...view } = shown;
    const lost = { view, recovered: false, replay: undefined };
    if (cursor === undefined) return { view, replay: undefined };
    const foreign = cursor.epoch !== undefined && cursor.epoch !== view.epoch;
    if (foreign || first === undefined) return lost;
    if (first > view.head) return { view, recovered: true, replay: undefined };
    const replay = replays.from(first, view.visibleFrom)?.for(joiner.principal);
    if (replay === undefined || replay.frames.length > this.options.replayBytes) return lost;
    return { view, recovered: true, replay };
  }
}

/** The ends of one page of entries. The last one asked for is kept, with its encoding. */
class Replays {
  #last: { first: number; visibleFrom: number; batch: Batch } | undefined;

  constructor(private readonly entries: readonly LogEntry[]) {}

  /** The entries from `first` on, as those see them who see the room from `visibleFrom` on. */
  from(first: number, visibleFrom: number): Batch | undefined {
    const from = first - (this.entries[0]?.seq ?? Infinity);
    if (!(from >= 0 && from < this.entries.length)) return undefined;
    const last = this.#last;
    if (last?.first === first && last.visibleFrom === visibleFrom) return last.batch;
    const part = this.entries.slice(from);
    const shown = visibleFrom <= 1 ? part : part.map((entry) => concealBefore(entry, visibleFrom));
    const batch = new Batch(shown);
    this.#last = { first, visibleFrom, batch };
    return batch;
  }
}
