/** Published on a quiet channel to see whether its stream is alive; subscriptions never get it. */
export const PING = "confab:ping";

/** Times in milliseconds; `ping` publishes on the channel of the stream. */
export interface StreamWatchOptions {
  ping: (payload: string) => Promise<void>;
  deadlineMs: number;
  quietMs: number;
}

/** The clock of one event stream: late at first, later silent, and then silent after a ping. */
export class StreamWatch {
  readonly #give: (error: Error) => void;
  readonly #options: StreamWatchOptions;
  #standing = false;
  #timer: ReturnType<typeof setTimeout>;

  constructor(give: (error: Error) => void, options: StreamWatchOptions) {
    this.#give = give;
    this.#options = options;
    const late = new Error(`no answer in ${options.deadlineMs} ms`);
    this.#timer = setTimeout(() => give(late), options.deadlineMs);
  }

  stands(): void {
    this.#standing = true;
    this.heard();
  }

  heard(): void {
    if (!this.#standing) return;
    const quietMs = this.#options.quietMs * (0.8 + 0.4 * Math.random());
    this.#again(() => this.#ping(), quietMs);
  }

  end(): void {
    this.#standing = false;
    clearTimeout(this.#timer);
  }

  #ping(): void {
    const silent = new Error("the stream is silent");
    this.#again(() => this.#give(silent), 2 * this.#options.deadlineMs);
    this.#options.ping(PING).catch(() => {}); // without an answer the timer above decides
  }

  #again(then: () => void, afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, afterMs);
  }
}
