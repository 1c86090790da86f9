import type { LogEntry, PrincipalId, RoomId } from "../../lib/protocol.ts";
import type { ConnectionRecord, Via } from "../history.ts";
import type { Recorder } from "../recorder.ts";

/** Where a reader stands in a room. */
export interface Cursor {
  /** Undefined before the first answer. */
  epoch: string | undefined;
  seq: number;
}

/** What the beginning of a connection to a room told. */
export interface Opening {
  through: string;
  /** When it was asked for: what was given may be as old as that. */
  askedAt: number;
  after: number | undefined;
  head?: number;
  recovered?: boolean;
}

/**
 * One client's view of one room over all of its connections: the cursor, and the record of the
 * connection that is open. It fills no gap: what comes is recorded, and the cursor follows it.
 */
export class FollowedRoom {
  /** Undefined after a reset, until a fresh page was read. */
  cursor: Cursor | undefined = { epoch: undefined, seq: 0 };
  /** The highest seq that the server named. */
  head = 0;
  record: ConnectionRecord | undefined;
  /** How far what came live has come, as long as there is no cursor. */
  #live: Cursor | undefined;
  /** When `head` was first above what has come, by the clock of the run. */
  #behindSince: number | undefined;

  constructor(
    private readonly recorder: Recorder,
    private readonly reader: PrincipalId,
    private readonly client: string,
    private readonly via: Via,
    readonly room: RoomId,
  ) {}

  /** The seq up to which this client has everything, as far as it knows. */
  get seq(): number {
    return this.cursor?.seq ?? 0;
  }

  /** For how many milliseconds something is known to be missing. */
  get behindMs(): number {
    return this.#behindSince === undefined ? 0 : this.recorder.now() - this.#behindSince;
  }

  open({ through, askedAt, after, head, recovered }: Opening): void {
    this.close();
    this.record = this.recorder.connection({
      reader: this.reader,
      client: this.client,
      room: this.room,
      via: this.via,
      through,
      openedAt: askedAt,
      ...(after === undefined ? {} : { after }),
      ...(head === undefined ? {} : { head }),
      ...(recovered === undefined ? {} : { recovered }),
    });
    this.#behindSince = undefined;
    if (head !== undefined) this.heard(head);
  }

  /** The server named a head. */
  heard(head: number): void {
    this.head = head;
    this.#compare();
  }

  /** Records an entry; `through` names the connection if this is the first of it. */
  take(entry: LogEntry, live: boolean, through: string): void {
    if (this.record === undefined) {
      this.open({ through, askedAt: this.recorder.now(), after: undefined });
    }
    this.recorder.deliver(this.record!, entry, live);
    const { epoch, seq } = entry;
    const place = this.cursor ?? this.#live;
    if (place !== undefined && (place.epoch !== epoch || seq > place.seq)) {
      if (this.cursor === undefined) this.#live = { epoch, seq };
      else this.cursor = { epoch, seq };
    }
    this.#compare();
  }

  /** The server said that nothing more will come; whatever still does goes into the same record. */
  evicted(code: string): void {
    if (this.record !== undefined) this.record.evicted = { at: this.recorder.now(), code };
    this.#behindSince = undefined;
  }

  /** The cursor leads nowhere: a page has to be read; what comes live begins after `head`. */
  reset(epoch: string, head: number): void {
    this.cursor = undefined;
    this.#live = { epoch, seq: head };
    this.#behindSince = undefined;
  }

  /** A fresh page was read after reset(), as of `head`. */
  reloaded(head: number): void {
    if (this.cursor !== undefined || this.#live === undefined) return;
    if (this.record !== undefined) this.record.reloaded = { at: this.recorder.now(), head };
    this.cursor = this.#live;
    this.#compare();
  }

  close(): void {
    if (this.record !== undefined) this.record.closedAt = this.recorder.now();
    this.record = undefined;
    this.#behindSince = undefined;
  }

  #compare(): void {
    if (this.cursor === undefined || this.head <= this.seq) this.#behindSince = undefined;
    else this.#behindSince ??= this.recorder.now();
  }
}
