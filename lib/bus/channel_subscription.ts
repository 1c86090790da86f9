import { backoffMs, pause } from "../backoff.ts";
import type { Redis } from "../redis/mod.ts";

/** What the subscription of one channel needs; times in milliseconds. */
export interface ChannelSubscriptionOptions {
  redis: Redis;
  channel: string;
  message: (payload: string) => void;
  /** The subscription stands later than promised, or again: messages may be missing. */
  resumed: () => void;
  /** Whether messages arrive; true also when they are not wanted any more. */
  link: (up: boolean) => void;
  /** How long `acquire()` waits for Redis at most. */
  settleMs: number;
  /** How long an unused subscription is kept, so that moving between rooms costs no command. */
  lingerMs: number;
}

/** One attempt to be subscribed, from the first user to the end of the last. */
interface Run {
  readonly stop: AbortController;
  /** Resolves when the first attempt has succeeded or failed. */
  readonly first: Promise<void>;
  standing: boolean;
  /** Somebody was let in without the subscription, so `resumed()` is owed. */
  late: boolean;
}

/** A subscription that stands while it has users, and keeps trying while Redis is away. */
export class ChannelSubscription {
  readonly #options: ChannelSubscriptionOptions;
  #run: Run | undefined;
  #users = 0;
  #linger: ReturnType<typeof setTimeout> | undefined;
  readonly #ending = new Set<Promise<void>>();

  constructor(options: ChannelSubscriptionOptions) {
    this.#options = options;
  }

  /** Adds a user. Never throws: when Redis is away, `resumed()` follows once it stands. */
  async acquire(): Promise<void> {
    this.#users++;
    clearTimeout(this.#linger);
    const run = this.#run ??= this.#start();
    if (run.standing || run.late) return;
    const settled = new AbortController();
    const tooLate = pause(this.#options.settleMs, settled.signal);
    await Promise.race([run.first, tooLate]);
    settled.abort();
    if (!run.standing) run.late = true;
  }

  /** Removes a user; the last one leaves the subscription to its linger time. */
  release(): void {
    if (--this.#users > 0) return;
    clearTimeout(this.#linger);
    this.#linger = setTimeout(() => void this.end(), this.#options.lingerMs);
  }

  /** Ends the subscription; never throws. */
  async end(): Promise<void> {
    clearTimeout(this.#linger);
    this.#run?.stop.abort();
    this.#run = undefined;
    this.#options.link(true);
    await Promise.all(this.#ending);
  }

  #start(): Run {
    const first = Promise.withResolvers<void>();
    const run: Run = {
      stop: new AbortController(),
      first: first.promise,
      standing: false,
      late: false,
    };
    const ending = this.#subscribe(run, first.resolve).finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
    return run;
  }

  /** Subscribes, trying again until it stands; then waits for the end and unsubscribes. */
  async #subscribe(run: Run, settled: () => void): Promise<void> {
    const { redis, channel, message, link } = this.#options;
    const { signal } = run.stop;
    const live = (act: () => void) => () => signal.aborted || act();
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        const stop = await redis.subscribe(channel, {
          message: (payload) => signal.aborted || message(payload),
          interrupted: live(() => {
            run.standing = false;
            run.late = true;
            link(false);
          }),
          resumed: live(() => this.#stands(run)),
        });
        if (!signal.aborted) this.#stands(run);
        settled();
        await aborted(signal);
        return await stop().catch(() => {});
      } catch {
        if (signal.aborted) break;
        run.late = true;
        link(false);
        settled();
        await pause(backoffMs(attempt), signal);
      }
    }
    settled();
  }

  #stands(run: Run): void {
    run.standing = true;
    this.#options.link(true);
    if (run.late) this.#options.resumed();
    run.late = false;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true })
  );
}
