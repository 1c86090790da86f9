import type { MessagePage } from "./answers.ts";
import { Backoff } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { Deferred } from "./deferred.ts";
import { toClientError } from "./errors.ts";
import type { Timeline } from "./timeline.ts";

/** What a history needs and whom it tells. */
export interface HistoryOptions {
  clock: Clock;
  timeline: Timeline;
  fetchPage(query: { before?: number; limit: number }): Promise<MessagePage>;
  /** True while the room is followed; load() is called again when it becomes so. */
  live(): boolean;
  /** True when `epoch` is not the one the room follows. */
  stale(epoch: string): boolean;
  /** `count` messages came in. */
  loaded(count: number): void;
}

/** Loads pages of messages into a timeline: the newest once after every reset, older on demand. */
export class History {
  #options: HistoryOptions;
  #backoff: Backoff;
  #limit = 0;
  #first = new Deferred<void>();
  #loaded = false;
  #loading = false;
  #generation = 0;
  #earlier: Promise<boolean> | undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.clock);
  }

  /** From now on the newest `limit` messages are wanted; resolves when they are there. */
  want(limit: number): Promise<void> {
    this.#limit ||= limit;
    return this.#first.promise;
  }

  /** Loads the newest messages if they are wanted and not there, and the room is live. */
  load(): void {
    if (this.#limit === 0 || this.#loaded || this.#loading || !this.#options.live()) return;
    this.#loading = true;
    const generation = this.#generation;
    this.#loadPage({ limit: this.#limit }).then((merged) => {
      if (generation !== this.#generation) return;
      this.#loading = false;
      if (!merged) return this.#again(generation);
      this.#loaded = true;
      this.#backoff.reset();
      this.#first.resolve();
    }, (error) => {
      if (generation !== this.#generation) return;
      this.#loading = false;
      const failure = toClientError(error);
      if (failure.transient) return this.#again(generation, failure.retryAfter);
      this.#first.reject(failure);
      this.#first = new Deferred();
    });
  }

  /** Loads up to `limit` messages before the first one; false when none can come. */
  loadEarlier(limit: number): Promise<boolean> {
    const { timeline } = this.#options;
    const first = timeline.messages[0];
    if (first === undefined || !timeline.hasEarlier || timeline.full) return Promise.resolve(false);
    this.#earlier ??= this.#loadPage({ before: first.seq, limit }).finally(() => {
      this.#earlier = undefined;
    });
    return this.#earlier;
  }

  /** Forgets all messages; load() starts over. */
  reset(): void {
    this.#generation++;
    this.#loading = false;
    this.#loaded = false;
    this.#options.timeline.clear();
  }

  #again(generation: number, retryAfter?: number): void {
    this.#options.clock.after(this.#backoff.next(retryAfter), () => {
      if (generation === this.#generation) this.load();
    });
  }

  async #loadPage(query: { before?: number; limit: number }): Promise<boolean> {
    const generation = this.#generation;
    const load = this.#options.timeline.beginLoad();
    try {
      const page = await this.#options.fetchPage(query);
      if (generation !== this.#generation || this.#options.stale(page.epoch)) return false;
      load.merge(page.messages, page.hasMore);
      this.#options.loaded(page.messages.length);
      return true;
    } finally {
      load.abandon();
    }
  }
}
