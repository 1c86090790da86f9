import type { LogPage } from "../../lib/client/answers.ts";
import type { CatchUp, Cursor, Step } from "../../lib/client/catch_up.ts";
import { ConfabClientError } from "../../lib/client/errors.ts";
import type { RoomStatus } from "../../lib/client/following.ts";
import type { JoinOk, LogEntry, RoomId } from "../../lib/protocol.ts";
import { AppliedLog } from "./applied_log.ts";
import { ModelMessages } from "./client_messages.ts";
import type { Frame } from "./connection.ts";
import type { Surroundings } from "./surroundings.ts";

const LOG_PAGE = 2;
const MAX_AHEAD = 3;

/** Frames of a room to the server, if there is a connection. */
export interface RoomRequests {
  /** `join` comes back with the answer. */
  join(room: RoomId, join: number, cursor: Cursor | undefined): void;
  leave(room: RoomId): void;
}

/**
 * A room at a client: the glue of `following.ts`, `feed.ts` and `room.ts` in `lib/client` as
 * callbacks instead of promises, around the same CatchUp and resume().
 */
export class ModelRoom {
  status: RoomStatus = "idle";
  readonly messages: ModelMessages;
  /** What was applied, as this model counts it. */
  readonly applied: AppliedLog;
  readonly #catchUp: CatchUp;
  #joins = 0;
  #joiningWith: Cursor | undefined;
  #fetches = 0;
  #fetching = false;
  #grace: (() => void) | undefined;
  #cancelRejoin = () => {};

  constructor(
    private readonly world: Surroundings,
    readonly id: RoomId,
    readonly who: number,
    private readonly requests: RoomRequests,
  ) {
    const { CatchUp } = world.pieces;
    this.applied = new AppliedLog(world.store, id, `p${who}`);
    this.messages = new ModelMessages(world, this);
    this.#catchUp = new CatchUp((entry) => this.#apply(entry), MAX_AHEAD);
  }

  get cursor(): Cursor | undefined {
    return this.#catchUp.cursor;
  }

  follow(): void {
    if (this.status === "joining" || this.status === "live") return;
    this.status = "joining";
    this.connected();
  }

  stop(): void {
    if (this.status === "live") this.requests.leave(this.id);
    this.#end("idle");
  }

  connected(): void {
    if (this.status === "joining" || this.status === "live") this.#join();
  }

  disconnected(): void {
    this.#pause();
  }

  /** Takes a frame of this room. */
  receive(frame: Frame): void {
    switch (frame.type) {
      case "ok":
        if (frame.join === this.#joins) this.#accepted(frame.ok);
        break;
      case "error":
        if (frame.join !== this.#joins) break;
        this.#refused(frame.code);
        break;
      case "event":
        if (this.status === "live") this.#step(this.#catchUp.receive(frame.entry));
        break;
      case "evicted":
        this.#refused(frame.code);
    }
  }

  /** Takes what a `heads` frame says of this room. */
  head(seq: number): void {
    if (this.status === "live") this.#head(seq);
  }

  #join(): void {
    this.#pause();
    this.#joiningWith = this.cursor;
    this.requests.join(this.id, this.#joins, this.cursor);
  }

  #accepted(ok: JoinOk): void {
    this.world.tell(() => `p${this.who} is joined to ${this.id}, recovered: ${ok.recovered}`);
    const { cursor, reset } = this.world.pieces.resume(ok, this.#joiningWith);
    this.applied.joined(ok, this.#joiningWith !== undefined);
    this.#stopFetching();
    this.#catchUp.start(cursor);
    this.status = "live";
    if (reset) this.messages.reset();
    this.messages.load();
    this.#head(ok.head);
  }

  #refused(code: string): void {
    this.world.tell(() => `p${this.who} is told ${code}`);
    const { transient } = new ConfabClientError(code, "");
    if (transient || code === "epoch_changed") this.#rejoinLater();
    else this.#end("evicted");
  }

  #rejoinLater(): void {
    this.#pause();
    this.#cancelRejoin = this.world.after(() => this.connected());
  }

  #end(status: RoomStatus): void {
    this.#pause();
    this.status = status;
  }

  #pause(): void {
    this.#joins++;
    this.#cancelRejoin();
    this.#stopFetching();
    this.#catchUp.pause();
    if (this.status === "live") this.status = "joining";
  }

  #stopFetching(): void {
    this.#fetches++;
    this.#fetching = false;
    this.#grace?.();
    this.#grace = undefined;
  }

  #head(seq: number): void {
    this.#catchUp.head(seq);
    if (this.#catchUp.behind && !this.#fetching && this.#grace === undefined) this.#later();
  }

  #later(): void {
    this.#grace = this.world.after(() => {
      this.#grace = undefined;
      if (this.#catchUp.behind) this.#fetch();
    });
  }

  #step(step: Step): void {
    if (step === "fetch") this.#fetch();
    else if (step === "lost") this.#join();
  }

  #fetch(): void {
    if (this.#fetching) return;
    this.#fetching = true;
    this.#fetchPage(this.#fetches, this.cursor!);
  }

  #fetchPage(fetches: number, cursor: Cursor): void {
    this.world.ask<LogPage | "refused" | "foreign">(
      `p${this.who} fetches ${this.id} after ${cursor.seq}`,
      () => this.#readLog(cursor),
      (page) => {
        if (fetches !== this.#fetches) return;
        if (page === "refused") return this.#end("evicted");
        const step = page === "foreign" ? "lost" : this.#catchUp.page(cursor, page);
        if (step === "lost") return this.#join();
        if (fetches !== this.#fetches) return;
        if (step === "fetch") return this.#fetchPage(fetches, this.cursor!);
        this.#fetching = false;
      },
      () => {
        if (fetches !== this.#fetches) return;
        this.#fetching = false;
        this.#grace?.();
        this.#later();
      },
    );
  }

  /** As `readLog` in `lib/chat/messages.ts`. */
  #readLog({ epoch, seq }: Cursor): LogPage | "refused" | "foreign" {
    const found = this.world.store.logAs(this.id, this.who, seq, LOG_PAGE);
    if (found === undefined) return "refused";
    const { view, entries } = found;
    if (epoch !== view.epoch || seq < view.floor || seq > view.head) return "foreign";
    const last = entries.at(-1)?.seq ?? view.head;
    return { entries, head: view.head, epoch: view.epoch, hasMore: last < view.head };
  }

  #apply(entry: LogEntry): void {
    this.world.tell(() => `p${this.who} applies ${entry.seq} of ${this.id}`);
    this.applied.apply(entry);
    this.messages.apply(entry);
  }
}
