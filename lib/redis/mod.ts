/** The one error that Redis drivers throw: the server is away, late, or refused the command. */
export class RedisError extends Error {
  override readonly name = "RedisError";
}

/** What a subscription tells. */
export interface Subscription {
  /** A message arrived on the channel. */
  message(payload: string): void;
  /** The subscription was interrupted and stands again: messages may be missing. */
  resumed(): void;
}

/**
 * Redis as far as Confab needs it: commands and pub/sub, over TCP or over Upstash's REST and SSE.
 * Every call ends within its deadline (default 1,000 ms) and throws RedisError; a subscription
 * reconnects by itself with backoff until it is stopped.
 */
export interface Redis extends AsyncDisposable {
  /** Runs one command, such as `["SET", "key", "value", "PX", 1000]`. */
  command<T = unknown>(args: (string | number)[]): Promise<T>;
  /** Publishes one payload; resolves when the server took it. */
  publish(channel: string, payload: string): Promise<void>;
  /** Delivers what is published on `channel` from the moment the promise resolves; the result stops it. */
  subscribe(channel: string, subscription: Subscription): Promise<() => Promise<void>>;
}
