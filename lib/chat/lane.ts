import type { Bus } from "../bus/mod.ts";
import { type Database, DatabaseError } from "../database/mod.ts";
import { ConfabError } from "../errors.ts";
import type { LogEntry, RoomId, SendOk } from "../protocol.ts";
import { type AppendInput, appendMessages, type AppendOutcome } from "../store/append.ts";
import type { Send } from "./appender.ts";
import { refuseUnlessDone } from "./outcome.ts";

/** A send that is queued or being committed. */
export interface Waiting {
  send: Send;
  input: AppendInput;
  key: string;
  /** The length of its content, in UTF-16 units. */
  chars: number;
  giveUpAt: number;
  /** Repeats of this very send that came while it waited. */
  followers: Waiting[];
  /** An earlier try may have committed without our knowing. */
  uncertain: boolean;
  resolve(ok: SendOk): void;
  reject(error: unknown): void;
}

/** What a lane works with. */
export interface LaneOptions {
  db: Database;
  bus: Bus;
  maxBatch: number;
  epoch: () => string;
  /** Told of every commit: how many sends, and the seconds it took. */
  committed: (sends: number, seconds: number) => void;
}

const TRY_MS = 1900;
/** A batch ends with the send that reaches this, so that a statement is sent in a fraction of a try. */
const BATCH_CHARS = 4 * 1024 * 1024;
/** How long a room that was found locked keeps a lane of its own, in milliseconds. */
const LOCKED_MS = 2000;

/**
 * Commits the sends of its rooms in batches, one batch at a time. A room whose lock somebody holds
 * goes on in a lane of its own, so that the others do not wait for it.
 */
export class Lane {
  #queue: Waiting[] = [];
  #running: Promise<void> | undefined;
  /** The lanes of single rooms; a room's older sends are all there before the newer ones follow. */
  readonly #apart = new Map<RoomId, Lane>();
  #lockedUntil = 0;

  constructor(private readonly options: LaneOptions, private readonly single = false) {}

  add(waiting: Waiting): void {
    this.#queue.push(waiting);
    this.#running ??= this.#run();
  }

  /** Resolves when everything that was added has been answered. */
  async idle(): Promise<void> {
    await this.#running;
    await Promise.all([...this.#apart.values()].map((lane) => lane.idle()));
  }

  async #run(): Promise<void> {
    // Sends of the same turn of the event loop go together.
    await Promise.resolve();
    while (this.#queue.length > 0) await this.#commit(this.#take());
    this.#running = undefined;
  }

  #take(): Waiting[] {
    const batch = new Map<string, Waiting>();
    let [taken, chars] = [0, 0];
    for (const waiting of this.#queue) {
      const first = batch.get(waiting.key);
      const full = batch.size === this.options.maxBatch || chars >= BATCH_CHARS;
      if (first === undefined && full) break;
      if (first === undefined) {
        batch.set(waiting.key, waiting);
        chars += waiting.chars;
      } else first.followers.push(waiting, ...waiting.followers.splice(0));
      taken++;
    }
    this.#queue = this.#queue.slice(taken);
    return [...batch.values()];
  }

  /** Commits a batch; every member of it is answered, or in the lane of its room, at the end. */
  async #commit(batch: Waiting[]): Promise<void> {
    for (let attempt = 0;; attempt++) {
      batch = this.#handOver(refuseLate(batch));
      if (batch.length === 0) return;
      try {
        const inputs = batch.map((w) => w.input);
        const startMs = performance.now();
        const outcomes = await appendMessages(this.options.db, inputs, TRY_MS);
        this.options.committed(batch.length, (performance.now() - startMs) / 1000);
        return this.#settle(batch, outcomes);
      } catch (error) {
        if (!(error instanceof DatabaseError)) return failAll(batch, error);
        if (error.failure === "rejected") return await this.#halve(batch, error);
        if (error.failure === "busy") {
          this.#lockedUntil = performance.now() + LOCKED_MS;
          if (!this.single) return this.#setApart(batch);
        }
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

  /** Somebody holds the lock of one of these rooms: each goes on for itself. */
  #setApart(batch: Waiting[]): void {
    for (const [room, lane] of this.#apart) if (!lane.#isNeeded()) this.#apart.delete(room);
    for (const waiting of batch) {
      const { room } = waiting.input;
      let lane = this.#apart.get(room);
      if (lane === undefined) this.#apart.set(room, lane = new Lane(this.options, true));
      lane.add(waiting);
    }
  }

  /** Gives the sends of rooms with a lane of their own to that; returns the rest. */
  #handOver(batch: Waiting[]): Waiting[] {
    if (this.#apart.size === 0) return batch;
    return batch.filter((waiting) => {
      const lane = this.#apart.get(waiting.input.room);
      if (lane === undefined || !lane.#isNeeded()) return true;
      lane.add(waiting);
    });
  }

  #isNeeded(): boolean {
    return this.#running !== undefined || performance.now() < this.#lockedUntil;
  }

  #settle(batch: Waiting[], outcomes: AppendOutcome[]): void {
    const entries: LogEntry[] = [];
    const answers: (() => void)[] = [];
    batch.forEach((waiting, i) => {
      const outcome = outcomes[i]!;
      if (outcome.outcome === "ok") {
        entries.push(entryOf(waiting.send, outcome.seq!, outcome.at!, this.options.epoch()));
      } else if (outcome.outcome === "duplicate" && waiting.uncertain) {
        // Committed by a try whose answer was lost: it has not been announced yet.
        this.options.bus.announce(waiting.input.room, outcome.seq!);
      }
      answers.push(() => this.#answer(waiting, outcome));
    });
    if (entries.length > 0) this.options.bus.publish(entries);
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

/** Refuses what has waited too long; returns the rest. */
function refuseLate(batch: Waiting[]): Waiting[] {
  const now = performance.now();
  return batch.filter((waiting) => {
    if (waiting.giveUpAt > now) return true;
    fail(waiting, new ConfabError(waiting.uncertain ? "outcome_unknown" : "unavailable"));
  });
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
        attachments: body.attachments ?? [],
        updatedSeq: seq,
      },
    },
  } satisfies LogEntry;
}
