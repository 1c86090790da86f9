import { checkCarriable, RedisError, type Subscription } from "./mod.ts";
import { type Client, closeClient, untilReady } from "./tcp_client.ts";

/** One subscription; `stood` once its promise has been kept. */
interface Subscriber {
  readonly subscription: Subscription;
  stood: boolean;
}

interface Channel {
  readonly subscribers: Set<Subscriber>;
  /** The server has confirmed the channel on the present connection. */
  standing: boolean;
}

/** The subscriptions of one process over one connection of its own. */
export interface TcpSubscriber {
  subscribe(channel: string, subscription: Subscription): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/**
 * Subscribes over a connection that is made with the first subscription. After a reconnect every
 * channel is subscribed again, and its subscriptions hear `resumed()` when the server confirms.
 */
export function createTcpSubscriber(
  { connect, deadlineMs, quietMs }: {
    connect: () => Client;
    deadlineMs: number;
    /** How often the connection is asked whether it is alive. */
    quietMs: number;
  },
): TcpSubscriber {
  const channels = new Map<string, Channel>();
  let client: Client | undefined;
  let ping: ReturnType<typeof setInterval> | undefined;
  let closed = false;

  function open(): Client {
    const fresh = connect();
    fresh.on("message", (name: string, payload: string) => {
      for (const one of channels.get(name)?.subscribers ?? []) one.subscription.message(payload);
    });
    fresh.on("close", () => interrupt(channels));
    fresh.on("ready", () => void restore(fresh, channels));
    // The answer does not matter: without one the connection is replaced by its socket timeout.
    ping = setInterval(() => void fresh.ping().catch(() => {}), quietMs);
    return fresh;
  }

  async function subscribe(name: string, subscription: Subscription) {
    checkCarriable(name);
    if (closed) throw new RedisError("The connection is closed");
    client ??= open();
    const channel = channels.get(name) ?? { subscribers: new Set(), standing: false };
    const own: Subscriber = { subscription, stood: false };
    channels.set(name, channel);
    channel.subscribers.add(own);
    try {
      await untilReady(client, deadlineMs);
      if (!channel.standing) await client.subscribe(name);
      channel.standing = true;
      own.stood = true;
    } catch (error) {
      await remove(name, channel, own);
      throw new RedisError(`SUBSCRIBE: ${(error as Error).message}`, { cause: error });
    }
    return () => remove(name, channel, own);
  }

  async function remove(name: string, channel: Channel, own: Subscriber): Promise<void> {
    if (!channel.subscribers.delete(own) || channel.subscribers.size > 0) return;
    if (channels.get(name) === channel) channels.delete(name);
    // If this fails the connection is gone, and the next one does not subscribe to the channel.
    if (client?.status === "ready") await client.unsubscribe(name).catch(() => {});
  }

  return {
    subscribe,
    async close() {
      closed = true;
      clearInterval(ping);
      channels.clear();
      if (client !== undefined) await closeClient(client);
    },
  };
}

function interrupt(channels: Map<string, Channel>): void {
  for (const channel of channels.values()) {
    if (!channel.standing) continue;
    channel.standing = false;
    for (const one of channel.subscribers) if (one.stood) one.subscription.interrupted?.();
  }
}

/** Subscribes to every channel again; when that fails the connection is replaced once more. */
async function restore(client: Client, channels: Map<string, Channel>): Promise<void> {
  const lost = [...channels].filter(([, channel]) => !channel.standing).map(([name, channel]) => ({
    name,
    channel,
    stood: [...channel.subscribers].filter((one) => one.stood),
  })).filter(({ stood }) => stood.length > 0);
  if (lost.length === 0) return;
  try {
    await client.subscribe(...lost.map(({ name }) => name));
  } catch {
    return client.disconnect(true);
  }
  for (const { name, channel, stood } of lost) {
    if (channels.get(name) !== channel) continue;
    channel.standing = true;
    for (const one of stood) if (channel.subscribers.has(one)) one.subscription.resumed();
  }
}
