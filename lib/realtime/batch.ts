import { forViewer } from "../chat/viewer.ts";
import type { LogEntry } from "../protocol.ts";

/**
 * Entries of one room that travel together, oldest first, encoded once for everybody who gets
 * them. The clientId of a message is in the copy for its sender only.
 */
export class Batch {
  readonly entries: readonly LogEntry[];
  readonly #viewer: string;
  readonly #own = new Map<string, Batch>();
  #frames: string | undefined;
  #frame: string | undefined;
  #events: string | undefined;
  #access: LogEntry[] | undefined;
  #senders: Set<string> | undefined;

  constructor(entries: readonly LogEntry[], viewer = "") {
    this.entries = entries;
    this.#viewer = viewer;
  }

  get first(): number {
    return this.entries[0]!.seq;
  }

  get last(): number {
    return this.entries.at(-1)!.seq;
  }

  /** The WebSocket frames, separated by commas. */
  get frames(): string {
    return this.#frames ??= this.entries.map((entry) =>
      this.#isOwn(entry) ? frame(entry) : sharedFrame(entry)
    )
      .join(",");
  }

  /** One WebSocket frame with everything: an object, or an array of objects. */
  get frame(): string {
    return this.#frame ??= this.entries.length === 1 ? this.frames : `[${this.frames}]`;
  }

  /** The Server-Sent Events, each with the id `epoch:seq`. */
  get events(): string {
    return this.#events ??= this.entries.map((entry) =>
      `id: ${entry.epoch}:${entry.seq}\ndata: ${JSON.stringify(forViewer(entry, this.#viewer))}\n\n`
    ).join("");
  }

  /** The entries that may change who has access. */
  get access(): readonly LogEntry[] {
    return this.#access ??= this.entries.filter(({ event }) =>
      event.type.startsWith("member.") || event.type === "room.updated"
    );
  }

  /** The same entries for one viewer: another encoding only if the viewer sent one of them. */
  for(viewer: string): Batch {
    this.#senders ??= new Set(
      this.entries.map(({ event }) => "message" in event ? event.message.sender.id : ""),
    );
    if (!this.#senders.has(viewer)) return this;
    let own = this.#own.get(viewer);
    if (own === undefined) this.#own.set(viewer, own = new Batch(this.entries, viewer));
    return own;
  }

  /** The entries after `seq`, up to and including `last`; undefined when there are none. */
  part(after: number, last = Infinity): Batch | undefined {
    if (after < this.first && last >= this.last) return this;
    const entries = this.entries.filter((entry) => entry.seq > after && entry.seq <= last);
    return entries.length === 0 ? undefined : new Batch(entries, this.#viewer);
  }

  #isOwn({ event }: LogEntry): boolean {
    return "message" in event && event.message.sender.id === this.#viewer;
  }
}

/** The frames of entries for everybody but the sender: an entry may be in many batches. */
const sharedFrames = new WeakMap<LogEntry, string>();

function sharedFrame(entry: LogEntry): string {
  let shared = sharedFrames.get(entry);
  if (shared === undefined) sharedFrames.set(entry, shared = frame(forViewer(entry)));
  return shared;
}

/** Length of an entry as everybody but its sender gets it, in UTF-16 units. */
export function frameChars(entry: LogEntry): number {
  return sharedFrame(entry).length;
}

function frame(entry: LogEntry): string {
  return JSON.stringify({ type: "event", ...entry });
}
