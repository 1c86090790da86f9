/** The one error that Redis drivers throw: the server is away, late, or refused the command. */
export class RedisError extends Error {
  override readonly name = "RedisError";
}

/** What a subscription tells. Calls must not throw and must not block. */
export interface Subscription {
  /** A message arrived on the channel. */
  message(payload: string): void;
  /** The subscription does not stand any more; it is being renewed. */
  interrupted?(): void;
  /** The subscription was interrupted and stands again: messages may be missing. */
  resumed(): void;
}

/**
 * Redis as far as Confab needs it: commands and pub/sub, over TCP or over Upstash's REST and SSE.
 * Every call ends within its deadline (default 1,000 ms) and throws RedisError; a subscription
 * reconnects by itself with backoff until it is stopped. Replies are strings, integers, null and
 * arrays of them. After a RedisError it is not known whether the command ran.
 */
export interface Redis extends AsyncDisposable {
  /** Runs one command, such as `["SET", "key", "value", "PX", 1000]`. */
  command<T = unknown>(args: (string | number)[]): Promise<T>;
  /**
   * Publishes one payload; resolves when the server took it. SSE carries lines, so a channel is
   * `[A-Za-z0-9._:-]+` and a payload has no line break: anything else throws a RedisError.
   */
  publish(channel: string, payload: string): Promise<void>;
  /**
   * Delivers what is published on `channel` from the moment the promise resolves; the result stops
   * it. Throws when the first attempt fails. A channel may have several subscriptions.
   */
  subscribe(channel: string, subscription: Subscription): Promise<() => Promise<void>>;
}

/** Throws RedisError unless `channel`, and `payload` if given, can be carried by every driver. */
export function checkCarriable(channel: string, payload = ""): void {
  if (!/^[A-Za-z0-9._:-]+$/.test(channel)) {
    throw new RedisError(`The channel "${channel}" has a character that SSE or a URL cannot carry`);
  }
  if (/[\r\n]/.test(payload)) throw new RedisError("A payload cannot hold a line break");
}
