import type { LogEntry, PrincipalId, RoomId } from "../../lib/protocol.ts";
import type { Recorder } from "../recorder.ts";
import { FollowedRoom } from "./followed_room.ts";

const MAX_EARLY = 5000;
/** How long a device waits for what the head topic promised, and for an answer to a request. */
const HEAD_MS = 1000;
const ANSWER_MS = 3000;
const PAGE = 200;

/** An answer to a request for history. */
export interface HistoryAnswer {
  requestId: string;
  room?: RoomId;
  epoch?: string;
  head?: number;
  entries?: LogEntry[];
  hasMore?: boolean;
  error?: { code: string; retryAfter?: number };
}

/**
 * A room as a device keeps it: everything up to one seq, and what came too early; it asks for what
 * lies between (mqtt-bridge/README.md, "Receiving").
 */
export class DeviceRoom {
  /** Records what comes as it comes; its cursor is not ours. */
  readonly followed: FollowedRoom;
  /** Everything up to here is known. */
  have = 0;
  #epoch: string | undefined;
  #early = new Map<number, LogEntry>();
  #head = 0;
  #headAt = 0;
  #asked: { id: string; at: number } | undefined;
  #notBefore = 0;
  /** It was removed: nothing is asked for until something comes. */
  #out = false;

  constructor(
    private readonly recorder: Recorder,
    private readonly device: PrincipalId,
    name: string,
    readonly room: RoomId,
  ) {
    this.followed = new FollowedRoom(recorder, device, name, "mqtt", room);
  }

  /** An entry of the `events` topic. */
  live(entry: LogEntry, through: string): void {
    this.followed.take(entry, true, through);
    this.#out = false;
    this.#apply(entry);
    if (this.#isOwnEnd(entry)) {
      // What comes all the same, such as the answer to an earlier request, is another record.
      this.followed.evicted("removed");
      this.followed.close();
      this.#out = true;
    }
  }

  /** The `head` topic; undefined when it was cleared. */
  head(head: { epoch: string; seq: number } | undefined): void {
    if (head === undefined) return;
    this.#renewEpoch(head.epoch);
    this.#head = head.seq;
    this.#headAt = this.recorder.now();
  }

  disconnected(): void {
    this.followed.close();
    this.#asked = undefined;
  }

  /** What to ask for now, if anything. */
  request(id: string): Record<string, unknown> | undefined {
    const now = this.recorder.now();
    if (this.#out || now < this.#notBefore) return;
    if (this.#asked !== undefined && now - this.#asked.at < ANSWER_MS) return;
    const behind = this.#early.size > 0 ||
      this.#head > this.have && now - this.#headAt > HEAD_MS;
    if (!behind) return;
    this.#asked = { id, at: now };
    this.recorder.count("mqtt asked for history");
    return {
      requestId: id,
      type: "log",
      room: this.room,
      after: this.have,
      limit: PAGE,
      ...(this.#epoch === undefined ? {} : { epoch: this.#epoch }),
    };
  }

  /** Takes an answer; false when it is not the one that is waited for. */
  answer(answer: HistoryAnswer, through: string): boolean {
    if (this.#asked?.id !== answer.requestId) return false;
    this.#asked = undefined;
    if (answer.error !== undefined) {
      const { code, retryAfter = 1 } = answer.error;
      this.recorder.count(`mqtt history ${code}`);
      if (code === "epoch_changed") this.#forget();
      else this.#notBefore = this.recorder.now() + retryAfter * 1000;
      return true;
    }
    this.#renewEpoch(answer.epoch!);
    for (const entry of answer.entries!) {
      this.followed.take(entry, false, through);
      this.#apply(entry);
    }
    if (answer.head! > this.#head) this.#head = answer.head!;
    if (answer.hasMore) this.#headAt = 0;
    return true;
  }

  #apply(entry: LogEntry): void {
    this.#renewEpoch(entry.epoch);
    if (entry.seq <= this.have) return;
    if (entry.seq > this.have + 1) {
      if (this.#early.size < MAX_EARLY) this.#early.set(entry.seq, entry);
      return;
    }
    this.have = entry.seq;
    while (this.#early.delete(this.have + 1)) this.have++;
    for (const seq of this.#early.keys()) if (seq <= this.have) this.#early.delete(seq);
  }

  #renewEpoch(epoch: string): void {
    if (this.#epoch !== undefined && this.#epoch !== epoch) this.#forget();
    this.#epoch = epoch;
  }

  #forget(): void {
    this.recorder.count("mqtt epoch changed");
    this.#epoch = undefined;
    this.#early.clear();
    this.have = this.#head = 0;
  }

  #isOwnEnd({ event }: LogEntry): boolean {
    return (event.type === "member.left" || event.type === "member.removed") &&
      event.principal.id === this.device;
  }
}
