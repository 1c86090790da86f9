import type { Principal } from "../lib/auth/principal.ts";
import { CLOSE, type CloseName, ConfabError, type ErrorCode } from "../lib/errors.ts";
import type { RoomId } from "../lib/protocol.ts";
import type { Batch } from "../lib/realtime/batch.ts";
import type { Connection, Slot } from "../lib/realtime/connections.ts";
import type { Cursor, Joined } from "../lib/realtime/hub.ts";
import type { Subscriber, Subscription } from "../lib/realtime/subscription.ts";
import type { SocketContext } from "./socket_context.ts";

const HEARTBEAT_MS = 15_000;
const RETRY_MS = 2000;

/**
 * Answers `GET /v1/rooms/{room}/stream`: the log of a room as Server-Sent Events (WHATWG HTML,
 * section 9.2). Entries are plain messages with the id `epoch:seq`; other events are `ready`
 * (the answer of a join), `reset` (load the room again), `signal`, `evicted` and `closing`.
 * Throws `not_found`, and what Connections.admit() refuses with.
 */
export async function openStream(
  context: SocketContext,
  principal: Principal,
  address: string,
  room: RoomId,
  cursor: Cursor | undefined,
): Promise<Response> {
  const slot = context.connections.admit(principal.id, address);
  const stream = new RoomStream(context, principal, slot);
  try {
    await stream.join(room, cursor);
  } catch (error) {
    stream.closed();
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
  readonly since = Date.now();
  readonly body: ReadableStream<Uint8Array>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #subscription: Subscription | undefined;
  #done = false;
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
        cancel: () => this.closed(),
      },
      { highWaterMark: context.config.limits.outboxBytes, size: (chunk) => chunk.byteLength },
    );
    this.#heartbeat = setInterval(() => this.#write(": ping\n\n"), HEARTBEAT_MS);
    const { expiresAt } = principal;
    this.#expiry = expiresAt === undefined
      ? undefined
      : setTimeout(() => this.close("unauthenticated"), Math.max(0, expiresAt - Date.now()));
  }

  async join(room: RoomId, cursor: Cursor | undefined): Promise<void> {
    this.slot.occupy(this);
    const begin = (joined: Joined) => this.#begin(room, joined);
    const subscription = await this.context.hub.join(this, room, cursor, begin);
    if (this.#done) this.context.hub.leave(subscription);
    else this.#subscription = subscription;
  }

  entries(batch: Batch): void {
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

  /** Leaves the room and gives the place back; safe to call again. */
  closed(): void {
    if (this.#done) return;
    this.#done = true;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#expiry);
    if (this.#subscription !== undefined) this.context.hub.leave(this.#subscription);
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
    if ((this.#controller.desiredSize ?? 0) < text.length) {
      // Slower than its messages: it comes back with its cursor.
      this.#end();
      return;
    }
    this.#controller.enqueue(this.#encoder.encode(text));
  }

  #end(): void {
    if (this.#done) return;
    this.closed();
    try {
      this.#controller.close();
    } catch {
      // The reader has gone.
    }
  }
}
