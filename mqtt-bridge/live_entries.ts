import type { LogEntry, RoomId } from "../lib/protocol.ts";
import type { ReadEntry } from "./ports.ts";

/** Bounds in UTF-16 units of content; an entry counts as so much more than what it says. */
const MOST_CHARS = 16 * 1024 * 1024;
const ENTRY_CHARS = 512;

interface Held {
  entry: LogEntry;
  /** When it came, in milliseconds of performance.now(). */
  cameAt: number;
  chars: number;
}

/**
 * Entries that were told of at their commit and are not delivered yet, so that they need not be
 * read: for each room a run without gaps. Bounded, and free to hold nothing at all: what is missing
 * here is read from the store, which also knows what has become of a message since.
 */
export class LiveEntries {
  readonly #runs = new Map<RoomId, Held[]>();
  #chars = 0;

  constructor(private readonly maxChars = MOST_CHARS) {}

  /** Keeps what follows on what is kept of the room; after a gap, only what comes behind it. */
  add(room: RoomId, entries: readonly LogEntry[]): void {
    for (const entry of entries) this.#add(room, entry);
  }

  /**
   * Takes out the entries after a seq, at most `limit`; none when the next one is not here. They
   * are as at their commit, which counts as so long ago as they have been here.
   */
  take(
    room: RoomId,
    after: number,
    { epoch, limit }: { epoch: string; limit: number },
  ): ReadEntry[] {
    const run = this.#runs.get(room) ?? [];
    const start = run.findIndex(({ entry }) => entry.seq > after);
    if (start === -1 || run[start]!.entry.epoch !== epoch) {
      this.drop(room);
      return [];
    }
    if (run[start]!.entry.seq !== after + 1) return [];
    const left = run.splice(0, start + limit);
    for (const { chars } of left) this.#chars -= chars;
    if (run.length === 0) this.#runs.delete(room);
    const nowMs = performance.now();
    return left.slice(start).map(({ entry, cameAt }) => {
      const committedMs = Date.parse(entry.event.at);
      return { ...entry, readAt: new Date(committedMs + nowMs - cameAt) };
    });
  }

  /** Forgets what is kept of the room. */
  drop(room: RoomId): void {
    for (const { chars } of this.#runs.get(room) ?? []) this.#chars -= chars;
    this.#runs.delete(room);
  }

  /** Forgets everything: what has become of it meanwhile may not have been told. */
  clear(): void {
    this.#runs.clear();
    this.#chars = 0;
  }

  #add(room: RoomId, entry: LogEntry): void {
    let run = this.#runs.get(room);
    const last = run?.at(-1)?.entry;
    const sameHistory = last?.epoch === entry.epoch;
    if (sameHistory && entry.seq <= last.seq) return;
    const follows = sameHistory && entry.seq === last.seq + 1;
    // A change may be one of a message that is kept, which would be delivered as it was.
    if (!follows || entry.event.type !== "message.created") {
      this.drop(room);
      run = undefined;
    }
    const chars = ENTRY_CHARS + contentChars(entry);
    if (this.#chars + chars > this.maxChars) return this.drop(room);
    if (run === undefined) this.#runs.set(room, run = []);
    run.push({ entry, chars, cameAt: performance.now() });
    this.#chars += chars;
  }
}

function contentChars({ event }: LogEntry): number {
  if (event.type !== "message.created") return JSON.stringify(event).length;
  const { text = "", data, metadata, command, attachments } = event.message;
  const other = { data, metadata, command, attachments };
  const isPlain = data === undefined && metadata === undefined && command === undefined;
  return text.length + (isPlain && attachments.length === 0 ? 0 : JSON.stringify(other).length);
}
