import type { Principal } from "../auth/principal.ts";
import type { Bus } from "../bus/mod.ts";
import type { Database } from "../database/mod.ts";
import { ConfabError } from "../errors.ts";
import type { MessageBody, RoomId, SendOk } from "../protocol.ts";
import type { AppendInput } from "../store/append.ts";
import { bodyHash } from "./body_hash.ts";
import { Lane, type Waiting } from "./lane.ts";

/** A message on its way into a room. */
export interface Send {
  room: RoomId;
  sender: Principal;
  clientId: string;
  body: MessageBody;
}

/** How an appender is bounded; every default suits a node of one core. */
export interface AppenderOptions {
  /** Batches under way at once; a room always has the same lane. Default 4. */
  lanes?: number;
  /** Sends in one batch. Default 512. */
  maxBatch?: number;
  /** Sends that may wait on this node; beyond it they are refused as `overloaded`. Default 20,000. */
  maxWaiting?: number;
  /** Their content together, in UTF-16 units, beyond which the next is refused. Default 64 Mi. */
  maxWaitingChars?: number;
  /** Milliseconds after which no further try begins; a try ends within 1,900. Default 2,000. */
  deadlineMs?: number;
  /** The epoch that entries are announced with. */
  epoch: () => string;
  /** Told of every commit: how many sends it held, and the seconds it took. */
  committed?: (sends: number, seconds: number) => void;
}

/**
 * Writes sends to the log in group commits. While one batch of a lane commits, the next gathers;
 * it leaves when the commit returns, without a timer. A room belongs to one lane, so the sends
 * that one caller makes to a room in order are stored in order, also through retries.
 * Committed entries are published before their senders are answered.
 */
export class Appender {
  readonly #lanes: Lane[];
  readonly #maxWaiting: number;
  readonly #maxWaitingChars: number;
  readonly #deadlineMs: number;
  #waiting = 0;
  #waitingChars = 0;

  constructor(db: Database, bus: Bus, options: AppenderOptions) {
    this.#maxWaiting = options.maxWaiting ?? 20_000;
    this.#maxWaitingChars = options.maxWaitingChars ?? 64 * 1024 * 1024;
    this.#deadlineMs = options.deadlineMs ?? 2000;
    const { epoch, maxBatch = 512, committed = () => {} } = options;
    this.#lanes = Array.from(
      { length: options.lanes ?? 4 },
      () => new Lane({ db, bus, maxBatch, epoch, committed }),
    );
  }

  /**
   * Stores one message; resolves after the commit. Throws ConfabError: what `append_messages`
   * refuses with, `unavailable` (not stored), `outcome_unknown` (perhaps stored: repeat it).
   */
  append(send: Send): Promise<SendOk> {
    return this.#append(send, performance.now() + this.#deadlineMs);
  }

  /**
   * Stores messages of one sender to one room, and says what became of each. They have one deadline
   * together: when one fails as `unavailable`, `outcome_unknown` or `overloaded`, none behind it is
   * stored for the first time, so whoever repeats from that one on keeps the order.
   */
  appendInOrder(sends: Send[]): Promise<PromiseSettledResult<SendOk>[]> {
    const giveUpAt = performance.now() + this.#deadlineMs;
    return Promise.allSettled(sends.map((send) => this.#append(send, giveUpAt)));
  }

  async #append(send: Send, giveUpAt: number): Promise<SendOk> {
    // Never by the size of this one: nothing behind a refused one may be stored.
    if (this.#waiting >= this.#maxWaiting || this.#waitingChars >= this.#maxWaitingChars) {
      throw new ConfabError("overloaded");
    }
    const prepared = prepare(send);
    this.#waiting++;
    this.#waitingChars += prepared.chars;
    try {
      return await new Promise<SendOk>((resolve, reject) => {
        const lane = this.#lanes[laneOf(send.room, this.#lanes.length)]!;
        lane.add({ ...prepared, giveUpAt, followers: [], uncertain: false, resolve, reject });
      });
    } finally {
      this.#waiting--;
      this.#waitingChars -= prepared.chars;
    }
  }

  /** Sends that wait or are being committed. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Resolves when everything that was accepted has been answered. */
  async idle(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.idle()));
  }
}

function laneOf(room: RoomId, lanes: number): number {
  // The last characters of a UUIDv7 are random.
  return parseInt(room.slice(-6), 16) % lanes;
}

function prepare(send: Send): Pick<Waiting, "send" | "input" | "key" | "chars"> {
  const { room, sender, clientId, body } = send;
  const input: AppendInput = {
    room,
    sender: sender.id,
    clientId,
    hash: bodyHash(body),
    text: body.text ?? null,
    data: body.data === undefined ? null : JSON.stringify(body.data),
    metadata: body.metadata === undefined ? null : JSON.stringify(body.metadata),
    replyTo: body.replyTo ?? null,
    attachments: body.attachments?.length ? JSON.stringify(body.attachments) : null,
  };
  const { text, data, metadata, attachments } = input;
  const chars = (text?.length ?? 0) + (data?.length ?? 0) + (metadata?.length ?? 0) +
    (attachments?.length ?? 0);
  return { send, input, key: `${room} ${sender.id} ${clientId}`, chars };
}
