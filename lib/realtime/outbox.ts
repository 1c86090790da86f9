import type { Batch } from "./batch.ts";
import type { Flushable, Turn } from "./turn.ts";

/** The writing end of a connection. */
export interface Wire {
  /** Writes one frame; must not throw. */
  write(frame: string): void;
  /** Bytes that were written and have not left yet. */
  buffered(): number;
}

/**
 * What waits to be written to one WebSocket, in order. Everything queued in a turn of the event
 * loop leaves as one frame: an object, or an array of objects. A reader that is slower than its
 * messages is cut off when more than `maxBytes()` wait (UTF-16 units count as bytes). One that has
 * taken everything so far takes a whole turn, however much others have sent in it.
 */
export class Outbox implements Flushable {
  #queue: (Batch | string)[] = [];
  #closed = false;

  constructor(
    private readonly wire: Wire,
    private readonly turn: Turn,
    private readonly maxBytes: () => number,
    private readonly overflow: () => void,
  ) {}

  /** Queues one frame, or the frames of a batch. */
  push(item: Batch | string): void {
    if (this.#closed) return;
    this.#queue.push(item);
    this.turn.add(this);
  }

  /** Writes everything that is queued. */
  flush(): void {
    if (this.#closed || this.#queue.length === 0) return;
    const queue = this.#queue;
    this.#queue = [];
    const frame = queue.length === 1 ? frameOf(queue[0]!) : join(queue);
    const buffered = this.wire.buffered();
    if (buffered > 0 && buffered + frame.length > this.maxBytes()) {
      this.close();
      this.overflow();
      return;
    }
    this.wire.write(frame);
  }

  /** Drops what is queued and takes nothing more. */
  close(): void {
    this.#closed = true;
    this.#queue = [];
  }
}

function frameOf(item: Batch | string): string {
  return typeof item === "string" ? item : item.frame;
}

function join(queue: (Batch | string)[]): string {
  return `[${queue.map((item) => typeof item === "string" ? item : item.frames).join(",")}]`;
}
