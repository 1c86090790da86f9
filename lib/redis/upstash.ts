import type { Redis as Client } from "@upstash/redis";
import type { Log } from "../log.ts";
import { checkCarriable, type Redis, RedisError } from "./mod.ts";
import { UpstashChannel } from "./upstash_channel.ts";

/** Times in milliseconds; the defaults fit a server in another region. */
export interface UpstashOptions {
  log: Log;
  deadlineMs?: number;
  /** How long a subscription may be silent before it is tested with a ping of its own. */
  quietMs?: number;
}

/**
 * Opens Upstash over its REST API: commands through its own client, subscriptions through our
 * reader of its event streams, one stream per channel. Nothing is sent before the first call.
 * A command is tried once: repeating it could run it twice.
 */
export function openUpstash(
  url: string,
  token: string,
  { log, deadlineMs = 1_000, quietMs = 45_000 }: UpstashOptions,
): Redis {
  let loading: Promise<Client> | undefined;
  const channels = new Map<string, UpstashChannel>();

  /** Its client is loaded with the first command: a node that has just been started listens before. */
  async function load(): Promise<Client> {
    const { Redis } = await import("@upstash/redis");
    return new Redis({
      url,
      token,
      retry: { retries: 0 },
      signal: () => AbortSignal.timeout(deadlineMs),
      automaticDeserialization: false,
      responseEncoding: false,
      enableAutoPipelining: false,
      enableTelemetry: false,
      readYourWrites: false,
    });
  }

  async function command<T>(args: (string | number)[]): Promise<T> {
    try {
      const client = await (loading ??= load());
      return await client.exec<T>(args.map(String) as [string, ...string[]]);
    } catch (error) {
      throw new RedisError(`${args[0]}: ${reason(error)}`, { cause: reason(error) });
    }
  }

  async function publish(channel: string, payload: string): Promise<void> {
    checkCarriable(channel, payload);
    await command(["PUBLISH", channel, payload]);
  }

  return {
    command,
    publish,
    async subscribe(name, subscription) {
      checkCarriable(name);
      let channel = channels.get(name);
      if (channel === undefined || channel.ended) {
        const created = channel = new UpstashChannel({
          url: `${url.replace(/\/$/, "")}/subscribe/${name}`,
          token,
          ping: (payload) => publish(name, payload),
          log: log.with({ channel: name }),
          deadlineMs,
          quietMs,
          onEnd: () => {
            if (channels.get(name) === created) channels.delete(name);
          },
        });
        channels.set(name, channel);
      }
      return await channel.add(subscription);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...channels.values()].map((channel) => channel.end()));
    },
  };
}

/** The client appends the whole command, with its values, to the server's message: cut it off. */
function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split(", command was:")[0]!;
}
