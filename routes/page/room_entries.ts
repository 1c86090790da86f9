import type { LogEntry, LogPage, Room } from "../../lib/client/mod.ts";
import { isQuiet } from "./entry_line.ts";
import type { QuietEntry } from "./entry_line.ts";

const MAX_ENTRIES = 500;
/** Entries of the log in one answer, and answers for one page of messages. */
const PAGE = 200;
const MAX_PAGES = 5;

/** What the entries of a room are read from. */
export interface EntrySource {
  room: Pick<Room, "id" | "cursor" | "timeline">;
  log(query: { epoch: string; after: number; limit: number }): Promise<LogPage>;
  /** Entries came that were not known. */
  changed(): void;
}

/**
 * The entries of a room that are no messages and have a line of their own: live ones as they come,
 * and for pages of messages from history what the log holds between them. Bounded: the newest stay.
 */
export class RoomEntries {
  #source: EntrySource;
  #entries = new Map<number, QuietEntry>();
  /** Entries from this seq on are known. */
  #from: number | undefined;
  #generation = 0;

  constructor(source: EntrySource) {
    this.#source = source;
  }

  /** In ascending order of seq. */
  get list(): QuietEntry[] {
    return [...this.#entries.values()].sort((a, b) => a.seq - b.seq);
  }

  /** Takes an entry from the socket. */
  receive(entry: LogEntry): void {
    if (isQuiet(entry)) this.#add([entry]);
  }

  /** Reads what lies between messages that have come from history; what fails can be tried again. */
  async fill(): Promise<void> {
    const { room } = this.#source;
    const { messages, hasEarlier } = room.timeline;
    // Before the first message of all there may be entries, too.
    const first = hasEarlier ? messages[0]?.seq : 1;
    const { cursor } = room;
    if (first === undefined || cursor === undefined) return;
    const end = this.#from ?? cursor.seq + 1;
    if (first >= end) return;
    const before = this.#from;
    this.#from = first;
    // Every seq is a message: there is nothing else to find.
    if (messages.filter(({ seq }) => seq < end).length === end - first) return;
    const generation = this.#generation;
    try {
      await this.#read({ epoch: cursor.epoch, first, end }, () => generation === this.#generation);
    } catch {
      // The lines are no necessity, and the connection banner tells.
      if (generation === this.#generation) this.#from = before;
    }
  }

  async #read(
    { epoch, first, end }: { epoch: string; first: number; end: number },
    wanted: () => boolean,
  ): Promise<void> {
    // Where there is more than is read, the newest count.
    let after = Math.max(first - 1, end - 1 - MAX_PAGES * PAGE);
    while (after < end - 1) {
      const limit = Math.min(PAGE, end - 1 - after);
      const { entries, hasMore } = await this.#source.log({ epoch, after, limit });
      if (!wanted()) return;
      this.#add(entries.filter(isQuiet));
      const last = entries.at(-1)?.seq;
      if (last === undefined || !hasMore) return;
      after = last;
    }
  }

  /** Forgets everything: the room begins anew. */
  reset(): void {
    this.#generation++;
    this.#entries.clear();
    this.#from = undefined;
  }

  #add(entries: QuietEntry[]): void {
    if (entries.length === 0) return;
    for (const entry of entries) this.#entries.set(entry.seq, entry);
    const excess = this.list.slice(0, Math.max(0, this.#entries.size - MAX_ENTRIES));
    for (const { seq } of excess) this.#entries.delete(seq);
    this.#source.changed();
  }
}
