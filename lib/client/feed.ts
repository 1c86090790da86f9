import type { LogEntry } from "../protocol.ts";
import type { LogPage } from "./answers.ts";
import { Backoff } from "./backoff.ts";
import { CatchUp } from "./catch_up.ts";
import type { Cursor, Step } from "./catch_up.ts";
import type { Clock } from "./clock.ts";
import type { ConfabClientError } from "./errors.ts";
import { toClientError } from "./errors.ts";

/** What a feed needs and whom it tells. */
export interface FeedOptions {
  clock: Clock;
  fetchLog(cursor: Cursor): Promise<LogPage>;
  /** Called once for each entry, in order, without a gap. */
  apply(entry: LogEntry): void;
  /** The cursor is of no use any more: join again, the server says what holds. */
  lost(): void;
  /** Reading the log was refused for good. */
  refused(error: ConfabClientError): void;
}

/** A head without its entry: the entry is usually on its way already. */
const GRACE_MS = 700;

/**
 * Turns what arrives into every log entry once, in order, without a gap. What to apply and when to
 * fetch is decided in {@link CatchUp}; here are time and requests.
 */
export class Feed {
  #options: FeedOptions;
  #backoff: Backoff;
  #catchUp: CatchUp;
  #filling = false;
  #generation = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.clock);
    this.#catchUp = new CatchUp((entry) => options.apply(entry));
  }

  get cursor(): Cursor | undefined {
    return this.#catchUp.cursor;
  }

  /** Starts or goes on at `cursor`; anything held back or under way is dropped. */
  start(cursor: Cursor): void {
    this.pause();
    this.#catchUp.start(cursor);
  }

  /** Fetches nothing until the next start(). */
  pause(): void {
    this.#generation++;
    this.#filling = false;
    this.#catchUp.pause();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** Takes an entry from the socket. */
  receive(entry: LogEntry): void {
    this.#follow(this.#catchUp.receive(entry));
  }

  /** Learns that the log reaches `seq`; what has not come by itself soon is fetched. */
  head(seq: number): void {
    this.#catchUp.head(seq);
    if (!this.#catchUp.behind || this.#filling || this.#cancelTimer !== undefined) return;
    this.#later(GRACE_MS);
  }

  #follow(step: Step): void {
    if (step === "fetch") this.#fill();
    else if (step === "lost") this.#options.lost();
  }

  #later(delayMs: number): void {
    this.#cancelTimer = this.#options.clock.after(delayMs, () => {
      this.#cancelTimer = undefined;
      if (this.#catchUp.behind) this.#fill();
    });
  }

  #fill(): void {
    if (this.#filling) return;
    this.#filling = true;
    const generation = this.#generation;
    this.#fetchAll(generation).then(
      () => {
        if (generation !== this.#generation) return;
        this.#filling = false;
        this.#backoff.reset();
      },
      (error) => {
        if (generation === this.#generation) this.#failed(toClientError(error));
      },
    );
  }

  #failed(failure: ConfabClientError): void {
    this.#filling = false;
    if (failure.transient) {
      this.#cancelTimer?.();
      return this.#later(this.#backoff.next(failure.retryAfter));
    }
    const hidden = [401, 403, 404].includes(failure.status);
    if (hidden) this.#options.refused(failure);
    else this.#options.lost();
  }

  async #fetchAll(generation: number): Promise<void> {
    while (this.#catchUp.behind) {
      const cursor = this.#catchUp.cursor!;
      const page = await this.#options.fetchLog(cursor);
      if (generation !== this.#generation) return;
      if (this.#catchUp.page(cursor, page) === "lost") return this.#options.lost();
      if (generation !== this.#generation) return;
    }
  }
}
