import { backoffMs, pause } from "../backoff.ts";
import type { Log } from "../log.ts";
import { eventLines } from "./event_lines.ts";
import { RedisError, type Subscription } from "./mod.ts";
import { PING, StreamWatch } from "./stream_watch.ts";

/** A stream that stood this long ends the growth of the backoff. */
const STEADY_MS = 2_000;

/** What a channel needs; times in milliseconds. */
export interface UpstashChannelOptions {
  url: string;
  token: string;
  ping: (payload: string) => Promise<void>;
  log: Log;
  deadlineMs: number;
  quietMs: number;
  onEnd: () => void;
}

interface Subscriber {
  readonly subscription: Subscription;
  stood: boolean;
}

/**
 * One event stream of Upstash, shared by the subscriptions of its channel: `POST
 * /subscribe/{channel}` answers with `data: subscribe,{channel},{count}` and then one
 * `data: message,{channel},{payload}` per message (Upstash's REST API documentation, "Server Side
 * Events").
 *
 * The documentation promises no heartbeat, so a stream that was silent for `quietMs` (± 20 %) is
 * tested: the reader publishes a small ping on the channel, and reconnects when that does not come
 * back within two deadlines. Any message, other nodes' pings included, counts as life, so a
 * channel costs about one command per `quietMs` however many nodes read it.
 */
export class UpstashChannel {
  readonly #options: UpstashChannelOptions;
  readonly #subscribers = new Set<Subscriber>();
  readonly #waiting = new Set<PromiseWithResolvers<void>>();
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #standingSince: number | undefined;

  constructor(options: UpstashChannelOptions) {
    this.#options = options;
  }

  get ended(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Adds a subscription; resolves when the stream stands, throws when it does not in time. */
  async add(subscription: Subscription): Promise<() => Promise<void>> {
    const own: Subscriber = { subscription, stood: false };
    this.#subscribers.add(own);
    this.#running ??= this.#run();
    try {
      if (this.#standingSince === undefined) await this.#stands();
      own.stood = true;
    } catch (error) {
      await this.#remove(own);
      throw new RedisError(`SUBSCRIBE: ${(error as Error).message}`);
    }
    return () => this.#remove(own);
  }

  /** Ends the stream and every subscription. */
  async end(): Promise<void> {
    if (!this.ended) {
      this.#options.onEnd();
      this.#stop.abort();
      this.#fail(new Error("The connection is closed"));
      this.#subscribers.clear();
    }
    await this.#running;
  }

  async #remove(own: Subscriber): Promise<void> {
    if (this.#subscribers.delete(own) && this.#subscribers.size === 0) await this.end();
  }

  async #stands(): Promise<void> {
    const outcome = Promise.withResolvers<void>();
    this.#waiting.add(outcome);
    const late = () => outcome.reject(new Error(`no answer in ${this.#options.deadlineMs} ms`));
    const timer = setTimeout(late, this.#options.deadlineMs);
    try {
      await outcome.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(outcome);
    }
  }

  #fail(error: Error): void {
    for (const one of this.#waiting) one.reject(error);
  }

  /** Reads one stream after the other until the channel has ended. */
  async #run(): Promise<void> {
    const { log } = this.#options;
    for (let attempt = 1; !this.ended; attempt++) {
      let reason = "the server ended the stream";
      try {
        await this.#read();
      } catch (error) {
        reason = (error as Error).message;
      }
      if (this.ended) return;
      const since = this.#standingSince;
      if (since !== undefined && performance.now() - since >= STEADY_MS) attempt = 1;
      if (since !== undefined || attempt === 1) log.warn("A subscription is lost", { reason });
      this.#interrupt();
      this.#fail(new Error(reason));
      await pause(backoffMs(attempt), this.#stop.signal);
    }
  }

  async #read(): Promise<void> {
    const { url, token } = this.#options;
    const connection = new AbortController();
    const stop = () => connection.abort(this.#stop.signal.reason);
    this.#stop.signal.addEventListener("abort", stop);
    const watch = new StreamWatch((error) => connection.abort(error), this.#options);
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
        signal: connection.signal,
      });
      if (!response.ok || response.body === null) {
        await response.body?.cancel();
        throw new Error(`the server answered ${response.status}`);
      }
      for await (const line of eventLines(response.body, () => watch.heard())) {
        if (this.ended) return;
        this.#take(line, watch);
      }
    } finally {
      watch.end();
      this.#stop.signal.removeEventListener("abort", stop);
      connection.abort();
    }
  }

  #take(line: string, watch: StreamWatch): void {
    const [kind, channel] = line.split(",", 2);
    if (kind === "subscribe") {
      watch.stands();
      this.#stand();
    }
    if (kind !== "message" || channel === undefined) return;
    const payload = line.slice(kind.length + channel.length + 2);
    if (payload === PING) return;
    for (const one of this.#subscribers) one.subscription.message(payload);
  }

  #stand(): void {
    if (this.#standingSince !== undefined) return;
    this.#standingSince = performance.now();
    for (const one of this.#waiting) one.resolve();
    for (const one of this.#subscribers) if (one.stood) one.subscription.resumed();
  }

  #interrupt(): void {
    if (this.#standingSince === undefined) return;
    this.#standingSince = undefined;
    for (const one of this.#subscribers) if (one.stood) one.subscription.interrupted?.();
  }
}
