import type { Principal } from "../auth/principal.ts";
import type { Bus } from "../bus/mod.ts";
import { type Database, DatabaseError } from "../database/mod.ts";
import { ConfabError } from "../errors.ts";
import type { LogEntry, MessageBody, RoomId, SendOk } from "../protocol.ts";
import { type AppendInput, appendMessages, type AppendOutcome } from "../store/append.ts";
import { bodyHash } from "./body_hash.ts";
import { refuseUnlessDone } from "./outcome.ts";

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
  /** Milliseconds after which no further try begins; a try ends within 1,900. Default 2,000. */
  deadlineMs?: number;
  /** The epoch that entries are announced with. */
  epoch: () => string;
}

interface Waiting {
  send: Send;
  input: AppendInput;
  key: string;
  giveUpAt: number;
  /** Repeats of this very send that came while it waited. */
  followers: Waiting[];
  /** An earlier try may have committed without our knowing. */
  uncertain: boolean;
  resolve(ok: SendOk): void;
  reject(error: unknown): void;
}

const TRY_MS = 1900;

/**
 * Writes sends to the log in group commits. While one batch of a lane commits, the next gathers;
 * it leaves when the commit returns, without a timer. A room belongs to one lane, so the sends
 * that one caller makes to a room in order are stored in order, also through retries.
 * Committed entries are published before their senders are answered.
 */
export class Appender {
  readonly #lanes: Lane[];
  readonly #maxWaiting: number;
  readonly #deadlineMs: number;
  #waiting = 0;

  constructor(db: Database, bus: Bus, options: AppenderOptions) {
    this.#maxWaiting = options.maxWaiting ?? 20_000;
    this.#deadlineMs = options.deadlineMs ?? 2000;
    this.#lanes = Array.from(
      { length: options.lanes ?? 4 },
      () => new Lane(db, bus, options.maxBatch ?? 512, options.epoch),
    );
  }

  /**
   * Stores one message; resolves after the commit. Throws ConfabError: what `append_messages`
   * refuses with, `unavailable` (not stored), `outcome_unknown` (perhaps stored: repeat it).
   */
  async append(send: Send): Promise<SendOk> {
    if (this.#waiting >= this.#maxWaiting) throw new ConfabError("overloaded");
    this.#waiting++;
    try {
      return await new Promise<SendOk>((resolve, reject) => {
        const lane = this.#lanes[laneOf(send.room, this.#lanes.length)]!;
        const giveUpAt = performance.now() + this.#deadlineMs;
        lane.add({ ...prepare(send), giveUpAt, followers: [], uncertain: false, resolve, reject });
      });
    } finally {
      this.#waiting--;
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

function prepare(send: Send): Pick<Waiting, "send" | "input" | "key"> {
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
  };
  return { send, input, key: `${room} ${sender.id} ${clientId}` };
}

class Lane {
  #queue: Waiting[] = [];
  #running: Promise<void> | undefined;

  constructor(
    private readonly db: Database,
    private readonly bus: Bus,
    private readonly maxBatch: number,
    private readonly epoch: () => string,
  ) {}

  add(waiting: Waiting): void {
    this.#queue.push(waiting);
    this.#running ??= this.#run();
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // Sends of the same turn of the event loop go together.
    await Promise.resolve();
    while (this.#queue.length > 0) await this.#commit(this.#take());
    this.#running = undefined;
  }

  #take(): Waiting[] {
    const batch = new Map<string, Waiting>();
    let taken = 0;
    for (const waiting of this.#queue) {
      const first = batch.get(waiting.key);
      if (first === undefined && batch.size === this.maxBatch) break;
      if (first === undefined) batch.set(waiting.key, waiting);
      else first.followers.push(waiting);
      taken++;
    }
    this.#queue = this.#queue.slice(taken);
    return [...batch.values()];
  }

  /** Commits a batch; every member of it is answered when this resolves. */
  async #commit(batch: Waiting[]): Promise<void> {
    for (let attempt = 0; batch.length > 0; attempt++) {
      const now = performance.now();
      const late = batch.filter((w) => w.giveUpAt <= now);
      for (const waiting of late) {
        fail(waiting, new ConfabError(waiting.uncertain ? "outcome_unknown" : "unavailable"));
      }
      batch = batch.filter((w) => w.giveUpAt > now);
      if (batch.length === 0) return;
      try {
        const outcomes = await appendMessages(this.db, batch.map((w) => w.input), TRY_MS);
        this.#settle(batch, outcomes);
        return;
      } catch (error) {
        if (!(error instanceof DatabaseError)) return failAll(batch, error);
        if (error.failure === "rejected") return await this.#halve(batch, error);
        if (error.failure === "busy" && await this.#byRoom(batch)) return;
        if (error.failure === "unknown") { for (const waiting of batch) waiting.uncertain = true; }
        await pause(Math.random() * Math.min(400, 25 * 2 ** attempt));
      }
    }
  }

  /** One send's data was refused: the others must not suffer. */
  async #halve(batch: Waiting[], error: DatabaseError): Promise<void> {
    if (batch.length === 1) {
      return fail(batch[0]!, new ConfabError("internal", undefined, { cause: error }));
    }
    const middle = batch.length >> 1;
    await this.#commit(batch.slice(0, middle));
    await this.#commit(batch.slice(middle));
  }

  /** Somebody holds a room's lock: the other rooms of the batch go ahead. False: only one room. */
  async #byRoom(batch: Waiting[]): Promise<boolean> {
    const rooms = Map.groupBy(batch, (w) => w.input.room);
    if (rooms.size === 1) return false;
    await Promise.all([...rooms.values()].map((group) => this.#commit(group)));
    return true;
  }

  #settle(batch: Waiting[], outcomes: AppendOutcome[]): void {
    const entries: LogEntry[] = [];
    const answers: (() => void)[] = [];
    batch.forEach((waiting, i) => {
      const outcome = outcomes[i]!;
      if (outcome.outcome === "ok") {
        entries.push(entryOf(waiting.send, outcome.seq!, outcome.at!, this.epoch()));
      } else if (outcome.outcome === "duplicate" && waiting.uncertain) {
        // Committed by a try whose answer was lost: it has not been announced yet.
        this.bus.announce(waiting.input.room, outcome.seq!);
      }
      answers.push(() => this.#answer(waiting, outcome));
    });
    if (entries.length > 0) this.bus.publish(entries);
    for (const answer of answers) answer();
  }

  #answer(waiting: Waiting, { outcome, seq, at }: AppendOutcome): void {
    if (outcome === "client_id_reused" && waiting.followers.length > 0) {
      // A follower may have the body that was stored: let the database judge.
      for (const follower of waiting.followers.splice(0)) this.add(follower);
    }
    try {
      refuseUnlessDone(outcome);
      const answer = { seq: seq!, at: at!.toISOString(), duplicate: outcome === "duplicate" };
      waiting.resolve(answer);
      for (const follower of waiting.followers) {
        if (follower.input.hash === waiting.input.hash) {
          follower.resolve({ ...answer, duplicate: true });
        } else follower.reject(new ConfabError("client_id_reused"));
      }
    } catch (error) {
      fail(waiting, error);
    }
  }
}

function fail(waiting: Waiting, error: unknown): void {
  waiting.reject(error);
  for (const follower of waiting.followers) follower.reject(error);
}

function failAll(batch: Waiting[], error: unknown): void {
  for (const waiting of batch) fail(waiting, error);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function entryOf({ room, sender, clientId, body }: Send, seq: number, at: Date, epoch: string) {
  const who = { id: sender.id, kind: sender.kind, name: sender.name };
  const time = at.toISOString();
  return {
    room,
    epoch,
    seq,
    event: {
      type: "message.created",
      actor: who,
      at: time,
      message: {
        room,
        seq,
        sender: who,
        at: time,
        clientId,
        ...body,
        attachments: [],
        updatedSeq: seq,
      },
    },
  } satisfies LogEntry;
}
