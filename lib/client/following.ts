import type { JoinOk, LogEntry, RoomId } from "../protocol.ts";
import type { LogPage } from "./answers.ts";
import { Backoff } from "./backoff.ts";
import { resume } from "./catch_up.ts";
import type { Cursor } from "./catch_up.ts";
import type { Clock } from "./clock.ts";
import type { Connection } from "./connection.ts";
import { Deferred } from "./deferred.ts";
import { ConfabClientError, toClientError } from "./errors.ts";
import { Feed } from "./feed.ts";

/** `evicted`: refused or removed; follow() tries again. */
export type RoomStatus = "idle" | "joining" | "live" | "evicted";

/** What following a room needs and whom it tells. */
export interface FollowingOptions {
  room: RoomId;
  clock: Clock;
  connection: Connection;
  fetchLog(cursor: Cursor): Promise<LogPage>;
  /** Called once for each entry, in order, without a gap. */
  apply(entry: LogEntry): void;
  /** The join was accepted; `reset` when the cursor before it was of no use. */
  accepted(ok: JoinOk, reset: boolean): void;
  changed(status: RoomStatus): void;
  refused(code: string): void;
}

/** Keeps one room joined, through every reconnect, from the cursor on. */
export class Following {
  #options: FollowingOptions;
  #feed: Feed;
  #backoff: Backoff;
  #status: RoomStatus = "idle";
  #generation = 0;
  #cancelRejoin = () => {};
  #live = new Deferred<void>();

  constructor(options: FollowingOptions) {
    const { clock, fetchLog, apply } = options;
    this.#options = options;
    this.#backoff = new Backoff(clock);
    this.#feed = new Feed({
      clock,
      fetchLog,
      apply,
      lost: () => this.#join(),
      refused: (error) => this.#refuse(error),
    });
  }

  get status(): RoomStatus {
    return this.#status;
  }

  get cursor(): Cursor | undefined {
    return this.#feed.cursor;
  }

  /** Joins now and after every reconnect; resolves when live, rejects when refused. */
  follow(): Promise<void> {
    if (this.#status === "idle" || this.#status === "evicted") {
      this.#enter("joining");
      this.connected();
    }
    return this.#live.promise;
  }

  /** Follows no more. */
  stop(): void {
    if (this.#status === "live") {
      this.#options.connection.request({ type: "leave", room: this.#options.room })
        .catch(() => {});
    }
    this.#end("idle", new ConfabClientError("closed", "The room was closed"));
  }

  /** The connection is ready. */
  connected(): void {
    if (this.#status === "idle" || this.#status === "evicted") return;
    if (this.#options.connection.state.name === "connected") this.#join();
  }

  /** The connection is gone. */
  disconnected(): void {
    this.#pause();
  }

  /** An entry from the socket. */
  receive(entry: LogEntry): void {
    if (this.#status === "live") this.#feed.receive(entry);
  }

  /** The log reaches `seq`. */
  head(seq: number): void {
    if (this.#status === "live") this.#feed.head(seq);
  }

  /** The server ended it; a transient `code`, or another history, is followed by another join. */
  evicted(code: string): void {
    const error = new ConfabClientError(code, "The room is closed to you");
    if (error.transient || code === "epoch_changed") this.#rejoinLater(undefined);
    else this.#refuse(error);
  }

  #join(): void {
    this.#pause();
    const generation = this.#generation;
    const { cursor } = this.#feed;
    const after = cursor === undefined ? {} : { epoch: cursor.epoch, after: cursor.seq };
    const frame = { type: "join", room: this.#options.room, ...after } as const;
    this.#options.connection.request(frame, (ok) => {
      if (generation === this.#generation) this.#accepted(ok as unknown as JoinOk, cursor);
    }).catch((error) => {
      if (generation !== this.#generation) return;
      const failure = toClientError(error);
      if (failure.code === "disconnected") return;
      if (failure.transient) this.#rejoinLater(failure.retryAfter);
      else this.#refuse(failure);
    });
  }

  /** Runs before the first replayed entry is handled. */
  #accepted(ok: JoinOk, cursor: Cursor | undefined): void {
    const resumed = resume(ok, cursor);
    this.#feed.start(resumed.cursor);
    this.#backoff.reset();
    this.#enter("live");
    this.#options.accepted(ok, resumed.reset);
    this.#feed.head(ok.head);
    this.#live.resolve();
  }

  #rejoinLater(retryAfter: number | undefined): void {
    this.#pause();
    const delayMs = this.#backoff.next(retryAfter);
    this.#cancelRejoin = this.#options.clock.after(delayMs, () => this.connected());
  }

  #refuse(error: ConfabClientError): void {
    this.#end("evicted", error);
    this.#options.refused(error.code);
  }

  #end(status: RoomStatus, reason: ConfabClientError): void {
    this.#pause();
    this.#live.reject(reason);
    this.#live = new Deferred();
    this.#enter(status);
  }

  #pause(): void {
    this.#generation++;
    this.#cancelRejoin();
    this.#feed.pause();
    if (this.#status === "live") this.#enter("joining");
  }

  #enter(status: RoomStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#options.changed(status);
  }
}
