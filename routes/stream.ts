import type { Principal } from "../lib/auth/principal.ts";
import { CLOSE, type CloseName, ConfabError, type ErrorCode } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import type { RoomId } from "../lib/protocol.ts";
import type { Batch } from "../lib/realtime/batch.ts";
import type { Connection, Slot } from "../lib/realtime/connections.ts";
import type { Cursor, Joined } from "../lib/realtime/hub.ts";
import type { Subscriber, Subscription } from "../lib/realtime/subscription.ts";
import type { SocketContext } from "./socket_context.ts";

const HEARTBEAT_MS = 15_000;
const RETRY_MS = 2000;
/** What is handed over for sending at once, in UTF-16 units: it cannot be taken back. */
const CHUNK_CHARS = 65_536;

/**
 * Answers `GET /v1/rooms/{room}/stream`: the log of a room as Server-Sent Events (WHATWG HTML,
 * section 9.2). Entries are plain messages with the id `epoch:seq`; other events are `ready`
 * (the answer of a join), `reset` (load the room again), `signal`, `evicted` and `closing`.
 * Throws `not_found`, and what Admission and Connections.admit() refuse with.
 */
export async function openStream(
  context: SocketContext,
  principal: Principal,
  address: string,
  room: RoomId,
  cursor: Cursor | undefined,
): Promise<Response> {
  const slot = await context.admission.during(() =>
    Promise.resolve(context.connections.admit(principal.id, address))
  );
  const stream = new RoomStream(context, principal, slot);
  try {
    await stream.join(room, cursor);
  } catch (error) {
    stream.gone();
    throw error;
  }
  return new Response(stream.body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    },
  });
}

/** Reads the cursor of `Last-Event-ID` (`epoch:seq`), else of `?after=` and `?epoch=`. */
export function streamCursor(
  lastEventId: string | undefined,
  query: { after?: number; epoch?: string },
): Cursor | undefined {
  if (lastEventId !== undefined && lastEventId !== "") {
    const match = /^([A-Za-z0-9_-]{1,64}):(\d{1,15})$/.exec(lastEventId);
    if (match === null) throw new ConfabError("invalid_cursor");
    return { epoch: match[1]!, after: Number(match[2]) };
  }
  if (query.after === undefined) return undefined;
  return { after: query.after, ...(query.epoch === undefined ? {} : { epoch: query.epoch }) };
}

class RoomStream implements Connection, Subscriber {
  readonly id = newId();
  readonly since = Date.now();
  /** What waits here are strings. */
  readonly nativeBytes = 0;
  readonly body: ReadableStream<Uint8Array>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #subscription: Subscription | undefined;
  #done = false;
  /** What waits for the reader; `#wanted` while the reader waits. */
  #queue: string[] = [];
  #queuedChars = 0;
  #wanted = false;
  readonly #encoder = new TextEncoder();
  readonly #heartbeat: ReturnType<typeof setInterval>;
  readonly #expiry: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly context: SocketContext,
    readonly principal: Principal,
    private readonly slot: Slot,
  ) {
    this.body = new ReadableStream(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          this.#wanted = true;
          this.#pass();
        },
        cancel: () => this.gone(),
      },
      { highWaterMark: 0 },
    );
    this.#heartbeat = setInterval(() => this.#write(": ping\n\n"), HEARTBEAT_MS);
    const { expiresAt } = principal;
    this.#expiry = expiresAt === undefined
      ? undefined
      : setTimeout(() => this.close("unauthenticated"), Math.max(0, expiresAt - Date.now()));
  }

  /** UTF-16 units count as bytes. */
  get bufferedBytes(): number {
    return this.#queuedChars;
  }

  async join(room: RoomId, cursor: Cursor | undefined): Promise<void> {
    this.slot.occupy(this);
    const begin = (joined: Joined) => this.#begin(room, joined);
    const subscription = await this.context.hub.join(this, room, cursor, begin);
    if (this.#done) return this.context.hub.leave(subscription);
    this.#subscription = subscription;
    this.context.presence.opened(this.principal.id, this.id);
    this.context.presence.look(subscription);
  }

  entries(batch: Batch): void {
    this.context.presence.entries(batch);
    this.#write(batch.events);
  }

  signal(frame: string): void {
    this.#write(`event: signal\ndata: ${frame}\n\n`);
  }

  evicted(room: RoomId, code: ErrorCode): void {
    this.#event("evicted", { room, code });
    this.#end();
  }

  heads(): void {
    // One ordered stream of one room: what was written arrives, or the stream ends.
  }

  close(why: CloseName, retryAfter?: number): void {
    const closing = { code: CLOSE[why].code, reason: CLOSE[why].reason };
    this.#event("closing", retryAfter === undefined ? closing : { ...closing, retryAfter });
    this.#end();
  }

  /** Leaves the room and gives the place back: nobody reads any more. Safe to call again. */
  gone(): void {
    this.#leave();
    this.#queue = [];
    this.slot.release();
  }

  #begin(room: RoomId, { view, recovered }: Joined): void {
    const { epoch, head, read, unread, role } = view;
    this.#write(`retry: ${RETRY_MS}\n`);
    this.#event("ready", { room, epoch, head, read, unread, role, recovered });
    if (recovered === false) {
      this.#write(`id: ${epoch}:${head}\n`);
      this.#event("reset", { room, epoch, head });
    }
  }

  #event(name: string, data: unknown): void {
    this.#write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  #write(text: string): void {
    if (this.#done) return;
    if (
      this.#queuedChars > 0 &&
      this.#queuedChars + text.length > this.context.connections.outboxBytes
    ) {
      // Slower than its messages: it comes back with its cursor.
      this.#queue = [];
      this.#end();
      return;
    }
    this.#queue.push(text);
    this.#queuedChars += text.length;
    this.#pass();
  }

  /** Hands over what waits, as far as the reader is ready for it; after the last, the end. */
  #pass(): void {
    if (this.#wanted && this.#queue.length > 0) {
      let chunk = this.#queue.shift()!;
      while (this.#queue.length > 0 && chunk.length + this.#queue[0]!.length <= CHUNK_CHARS) {
        chunk += this.#queue.shift()!;
      }
      this.#queuedChars -= chunk.length;
      this.#wanted = false;
      this.#controller.enqueue(this.#encoder.encode(chunk));
    }
    if (!this.#done || this.#queue.length > 0) return;
    try {
      this.#controller.close();
    } catch {
      // The reader has gone.
    }
    this.slot.release();
  }

  #end(): void {
    if (this.#done) return;
    this.#leave();
    this.#pass();
  }

  #leave(): void {
    if (this.#done) return;
    this.#done = true;
    this.context.presence.closed(this.id);
    clearInterval(this.#heartbeat);
    clearTimeout(this.#expiry);
    if (this.#subscription !== undefined) this.context.hub.leave(this.#subscription);
  }
}
