import type { RoomId } from "../../lib/protocol.ts";
import type { WriteKind, WriteRecord } from "../history.ts";
import type { Random } from "../random.ts";
import type { Recorder } from "../recorder.ts";
import { verdict } from "./api.ts";
import { againMs } from "./waiting.ts";

/** Without an answer for so long, a write is repeated on the same connection. */
const ANSWER_MS = 8000;

interface Pending {
  record: WriteRecord;
  /** The connection it was last sent on, and when. */
  sentOn: number;
  sentAt: number;
  notBefore: number;
}

/** An `ok` or `error` with an id. */
export interface Reply {
  type: string;
  id?: string;
  code?: string;
  retryAfter?: number;
  seq?: number;
  duplicate?: boolean;
}

/** How a write looks on a socket, but for its id. */
function frameOf(room: RoomId, what: WriteKind): Record<string, unknown> {
  switch (what.type) {
    case "send":
      return { type: "send", room, clientId: what.clientId, text: what.text };
    case "edit":
      return { type: "edit", room, seq: what.target, clientId: what.clientId, text: what.text };
    case "delete":
      return { type: "delete", room, seq: what.target, clientId: what.clientId };
    default:
      throw new TypeError(`A socket cannot ${what.type}`);
  }
}

/**
 * What a socket's client has to say: in order, so many at once, each one repeated on the next
 * connection until it is answered. Behind one that has to wait, its room waits.
 */
export class WsOutbox {
  readonly #pending = new Map<number, Pending>();
  readonly #asked = new Map<string, number>();
  #connection = 0;
  #keys = 0;
  #frames = 0;

  constructor(
    private readonly recorder: Recorder,
    private readonly random: Random,
    private readonly inFlight: number,
  ) {}

  get size(): number {
    return this.#pending.size;
  }

  add(record: WriteRecord): void {
    this.#pending.set(++this.#keys, { record, sentOn: 0, sentAt: 0, notBefore: 0 });
  }

  /** A new connection: everything without an answer has to be sent on it. */
  connected(): void {
    this.#connection++;
    this.#asked.clear();
  }

  /** Gives up what has no answer. */
  clear(): void {
    this.#pending.clear();
  }

  /** Sends what may be sent now. */
  pump(send: (frame: Record<string, unknown>) => void): void {
    const now = this.recorder.now();
    const waiting = new Set<RoomId>();
    let inFlight = 0;
    for (const [key, pending] of this.#pending) {
      if (inFlight >= this.inFlight) return;
      const { record } = pending;
      const sent = pending.sentOn === this.#connection && pending.notBefore === 0;
      if (sent && now - pending.sentAt < ANSWER_MS) {
        inFlight++;
        continue;
      }
      if (sent) this.recorder.count("ws no answer");
      if (pending.notBefore > now) waiting.add(record.room);
      if (waiting.has(record.room)) continue;
      Object.assign(pending, { sentOn: this.#connection, sentAt: now, notBefore: 0 });
      if (record.tries++ === 0) record.startedAt = now;
      const id = `w${++this.#frames}`;
      this.#asked.set(id, key);
      inFlight++;
      send({ id, ...frameOf(record.room, record.what) });
    }
  }

  /** Takes an answer; false when it is not one to a write. */
  answered(reply: Reply): boolean {
    const key = reply.id?.startsWith("w") ? this.#asked.get(reply.id) : undefined;
    if (key === undefined) return false;
    this.#asked.delete(reply.id!);
    const pending = this.#pending.get(key);
    if (pending === undefined) {
      // The late answer to an earlier try
      this.recorder.count(`ws late ${reply.type}`);
      return true;
    }
    const { record } = pending;
    const at = this.recorder.now();
    if (reply.type === "ok") {
      record.acks.push({ at, seq: reply.seq!, duplicate: reply.duplicate! });
      this.#pending.delete(key);
      return true;
    }
    this.recorder.count(`ws ${record.what.type} ${reply.code}`);
    if (verdict(reply.code!) === "final") {
      record.refusal = { at, code: reply.code! };
      this.#pending.delete(key);
    } else {
      const ms = reply.retryAfter === undefined ? undefined : reply.retryAfter * 1000;
      pending.notBefore = at + (ms ?? againMs(record.tries, this.random));
    }
    return true;
  }
}
