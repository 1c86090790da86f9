import type { Log } from "../log.ts";
import { checkCarriable, type Redis, RedisError } from "./mod.ts";
import { closeClient, connectClient, untilReady } from "./tcp_client.ts";
import { createTcpSubscriber } from "./tcp_subscriber.ts";

/**
 * Opens Redis over TCP (`redis://` or `rediss://`): one connection for commands, and one for
 * subscriptions from the first of them on. Resolves when the server is there, and after the
 * deadline when it is not: commands then fail at once until it is. A connection that answers
 * nothing for twice the deadline is replaced.
 */
export async function openRedis(
  url: string,
  { log, deadlineMs = 1_000, quietMs = 5_000 }: {
    log: Log;
    deadlineMs?: number;
    /** How often the connection of the subscriptions is asked whether it is alive. */
    quietMs?: number;
  },
): Promise<Redis> {
  const connect = (name: string) => connectClient(url, log.with({ connection: name }), deadlineMs);
  const client = connect("commands");
  const subscriber = createTcpSubscriber({
    connect: () => connect("subscriptions"),
    deadlineMs,
    quietMs,
  });
  await untilReady(client, deadlineMs);

  async function command<T>(args: (string | number)[]): Promise<T> {
    const [name, ...rest] = args;
    try {
      return await client.call(String(name), ...rest) as T;
    } catch (error) {
      throw new RedisError(`${name}: ${(error as Error).message}`, { cause: error });
    }
  }
  return {
    command,
    async publish(channel, payload) {
      checkCarriable(channel, payload);
      await command(["PUBLISH", channel, payload]);
    },
    subscribe: (channel, subscription) => subscriber.subscribe(channel, subscription),
    async [Symbol.asyncDispose]() {
      await Promise.all([subscriber.close(), closeClient(client)]);
    },
  };
}
