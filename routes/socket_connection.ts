import type { Principal } from "../lib/auth/principal.ts";
import { publicError } from "../lib/chat/outcome.ts";
import { CLOSE, type CloseName, ConfabError, type ErrorCode } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import { TokenBucket } from "../lib/limits/memory.ts";
import type { Limits, RoomId, ServerFrame } from "../lib/protocol.ts";
import type { Batch } from "../lib/realtime/batch.ts";
import type { Connection, Slot } from "../lib/realtime/connections.ts";
import { Outbox } from "../lib/realtime/outbox.ts";
import type { Subscriber, Subscription } from "../lib/realtime/subscription.ts";
import type { SocketContext } from "./socket_context.ts";
import { handleFrame } from "./socket_frames.ts";
import { frameId, parseFrame } from "./socket_parse.ts";

/** Frames of any type: five times what may be sent as messages. */
const FRAMES_PER_SEND = 5;
/** Refused frames, less the accepted ones since, after which the connection is closed. */
const MAX_REFUSED = 100;
const MAX_IN_FLIGHT = 1000;
const EXPIRING_MS = 60_000;
/** A client that has sent nothing for so long, longer than most round trips, has nothing on its way. */
const QUIET_MS = 250;
/** How long a close waits for that at most. */
const LINGER_MS = 1000;

/** A room that is joined or, as long as there is no subscription, being joined. */
export interface JoinedRoom {
  subscription: Subscription | undefined;
}

/** One WebSocket: parses what comes, queues what goes, and ends cleanly whatever happens. */
export class SocketConnection implements Connection, Subscriber {
  readonly id = newId();
  readonly rooms = new Map<RoomId, JoinedRoom>();
  principal: Principal;
  since = Date.now();
  readonly #outbox: Outbox;
  readonly #frames: TokenBucket;
  #refused = 0;
  #inFlight = 0;
  #done = false;
  /** What was buffered when it ended: a socket that is closing does not say any more. */
  #leftBytes = 0;
  #expiry: ReturnType<typeof setTimeout> | undefined;
  #lingering: ReturnType<typeof setTimeout> | undefined;
  /** Ends it, once what was asked before has been answered. */
  #finish: (() => void) | undefined;
  #heardAt = -Infinity;

  constructor(
    readonly context: SocketContext,
    private readonly socket: WebSocket,
    principal: Principal,
    private readonly slot: Slot,
  ) {
    this.principal = principal;
    const { limits } = context.config;
    this.#outbox = new Outbox(
      { write: (frame) => this.#write(frame), buffered: () => socket.bufferedAmount },
      context.hub.turn,
      () => context.connections.outboxBytes,
      () => this.close("slow_consumer"),
    );
    this.#frames = new TokenBucket({
      perSecond: limits.sendsPerSecond * FRAMES_PER_SEND,
      burst: limits.sendBurst * FRAMES_PER_SEND,
    });
  }

  /** True once the connection has ended. */
  get done(): boolean {
    return this.#done;
  }

  get bufferedBytes(): number {
    return this.#done ? this.#leftBytes : this.socket.bufferedAmount;
  }

  get nativeBytes(): number {
    return this.bufferedBytes;
  }

  /** Greets the client; `peer` is a room to join at once. */
  open(peer: RoomId | undefined): void {
    this.slot.occupy(this);
    if (this.#done) return;
    this.context.presence.opened(this.principal.id, this.id);
    this.send({
      type: "ready",
      connection: this.id,
      principal: shown(this.principal),
      epoch: this.context.epoch.value,
      limits: told(this.context.config.limits),
      features: ["batch", "resume", "heads", "presence"],
      expiresAt: new Date(this.principal.expiresAt ?? Date.now()).toISOString(),
    });
    this.setPrincipal(this.principal);
    if (peer !== undefined) this.#handle({ type: "join", id: "peer", room: peer });
  }

  /** Takes one frame as it came. */
  receive(data: unknown): void {
    this.#heardAt = performance.now();
    if (this.#done) return;
    if (this.#finish !== undefined) {
      return this.sendError(new ConfabError("restarting"), frameId(data));
    }
    try {
      const { granted, retryAfter } = this.#frames.take();
      if (!granted) throw new ConfabError("rate_limited", undefined, { retryAfter });
      if (this.#inFlight >= MAX_IN_FLIGHT) throw new ConfabError("rate_limited");
      this.#handle(parseFrame(data, this.context.config.limits.frameBytes));
      this.#refused = Math.max(0, this.#refused - 1);
    } catch (error) {
      this.sendError(error, frameId(data));
      if (++this.#refused < MAX_REFUSED) return;
      const slow = error instanceof ConfabError && error.code === "rate_limited";
      this.close(slow ? "too_many_requests" : "protocol_error");
    }
  }

  /** Adopts a renewed identity of the same principal, and ends when that expires. */
  setPrincipal(principal: Principal): void {
    this.principal = principal;
    this.since = Date.now();
    clearTimeout(this.#expiry);
    const { expiresAt } = principal;
    if (expiresAt === undefined) return;
    const end = () => {
      this.#expiry = setTimeout(
        () => this.close("unauthenticated"),
        Math.max(0, expiresAt - Date.now()),
      );
    };
    const warn = () => {
      this.send({ type: "expiring", at: new Date(expiresAt).toISOString() });
      end();
    };
    const leftMs = expiresAt - Date.now();
    if (leftMs > EXPIRING_MS) this.#expiry = setTimeout(warn, leftMs - EXPIRING_MS);
    else warn();
  }

  /** Queues a frame. */
  send(frame: ServerFrame): void {
    this.#outbox.push(JSON.stringify(frame));
  }

  /** Queues the error as a frame; what is not public is logged and leaves as `internal`. */
  sendError(cause: unknown, id?: string, readsOnly = false): void {
    const error = publicError(cause, readsOnly);
    const shown = error instanceof ConfabError ? error : new ConfabError("internal");
    if (shown.code === "internal") this.context.log.error("A frame failed", { error: cause });
    this.send({
      type: "error",
      ...(id === undefined ? {} : { id }),
      code: shown.code,
      message: shown.message,
      ...(shown.retryAfter === undefined ? {} : { retryAfter: shown.retryAfter }),
      ...(shown.errors === undefined ? {} : { errors: shown.errors }),
    });
  }

  entries(batch: Batch): void {
    this.context.presence.entries(batch);
    this.#outbox.push(batch);
  }

  signal(frame: string): void {
    this.#outbox.push(frame);
  }

  evicted(room: RoomId, code: ErrorCode): void {
    this.rooms.delete(room);
    this.send({ type: "evicted", room, code });
  }

  heads(rooms: Record<RoomId, number>): void {
    this.send({ type: "heads", rooms });
  }

  /** With `retryAfter`: takes nothing more, but answers first what is being done. */
  close(why: CloseName, retryAfter?: number): void {
    if (this.#done) return;
    const end = () => {
      if (this.#done) return;
      clearTimeout(this.#lingering);
      if (retryAfter !== undefined) {
        this.sendError(new ConfabError("restarting", undefined, { retryAfter }));
      }
      this.#outbox.flush();
      this.#leave();
      this.#endWhenQuiet(CLOSE[why], performance.now() + LINGER_MS);
    };
    if (retryAfter === undefined || this.#inFlight === 0) return end();
    this.#finish ??= end;
    this.#lingering ??= setTimeout(end, LINGER_MS);
  }

  /**
   * Told when the socket is gone, perhaps twice. Until then it keeps its place, also after close():
   * what waits for a reader that never reads stays in memory as long as that keeps the connection.
   */
  gone(): void {
    this.#leave();
    clearTimeout(this.#lingering);
    this.slot.release();
  }

  /**
   * Deno drops the connection, with answers and close code unread, when another frame comes after
   * close(). What is on its way is let in first; nobody looks at it any more.
   */
  #endWhenQuiet({ code, reason }: { code: number; reason: string }, latest: number): void {
    const waitMs = Math.min(this.#heardAt + QUIET_MS, latest) - performance.now();
    if (waitMs > 0) {
      this.#lingering = setTimeout(() => this.#endWhenQuiet({ code, reason }, latest), waitMs);
      return;
    }
    try {
      this.socket.close(code, reason);
    } catch {
      // Already closing.
    }
  }

  /** Leaves everything at once; doing it again changes nothing. */
  #leave(): void {
    if (this.#done) return;
    this.#leftBytes = this.socket.bufferedAmount;
    this.#done = true;
    this.context.presence.closed(this.id);
    clearTimeout(this.#expiry);
    this.#outbox.close();
    for (const { subscription } of this.rooms.values()) {
      if (subscription !== undefined) this.context.hub.leave(subscription);
    }
    this.rooms.clear();
  }

  #handle(frame: Parameters<typeof handleFrame>[1]): void {
    this.#inFlight++;
    void handleFrame(this, frame)
      .catch((error) => {
        this.sendError(error, "id" in frame ? frame.id : undefined, frame.type === "join");
      })
      .finally(() => {
        if (--this.#inFlight === 0) this.#finish?.();
      });
  }

  #write(frame: string): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    try {
      this.socket.send(frame);
    } catch {
      this.#leave();
    }
  }
}

function shown({ id, kind, name }: Principal) {
  return { id, kind, name };
}

function told(limits: Limits): Limits {
  const { sendsPerSecond, sendBurst, joinedRooms, socketsPerPrincipal, socketsPerAddress } = limits;
  const { frameBytes, textBytes, dataBytes, replayEntries, presenceMembers } = limits;
  return {
    sendsPerSecond,
    sendBurst,
    joinedRooms,
    socketsPerPrincipal,
    socketsPerAddress,
    frameBytes,
    textBytes,
    dataBytes,
    replayEntries,
    presenceMembers,
  };
}
