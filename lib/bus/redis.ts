import { pause } from "../backoff.ts";
import { newId } from "../ids.ts";
import type { Log } from "../log.ts";
import type { RoomId } from "../protocol.ts";
import type { Redis } from "../redis/mod.ts";
import { ChannelSubscription } from "./channel_subscription.ts";
import { LocalDelivery } from "./local.ts";
import type { Bus } from "./mod.ts";
import { decodePayload } from "./payload.ts";
import { type BusStats, Publisher } from "./publisher.ts";

/** How a bus uses Redis; sizes in bytes of UTF-8, times in milliseconds. */
export interface RedisBusOptions {
  /** Begins the name of every channel. */
  prefix: string;
  log: Log;
  /** How many channels the rooms share; all nodes must agree. */
  shards?: number;
  maxPayloadBytes?: number;
  /** What may wait per channel before entries shrink to heads. */
  maxBacklogBytes?: number;
  /** How long `serve` waits for Redis at most. */
  settleMs?: number;
  /** How long a channel without rooms stays subscribed. */
  lingerMs?: number;
}

/** A bus over Redis, with its counters. */
export interface RedisBus extends Bus {
  readonly stats: Readonly<BusStats>;
}

/**
 * A bus over Redis pub/sub. Rooms share a few channels by their hash (`{prefix}bus:0` …), each
 * subscribed only while one of its rooms is served here; revocations have a channel of their own.
 * Delivery on this node never touches Redis. `redis` stays the caller's to close.
 */
export function createRedisBus(redis: Redis, options: RedisBusOptions): RedisBus {
  const { prefix, log, shards = 16, settleMs = 1_000, lingerMs = 30_000 } = options;
  const { maxPayloadBytes = 256 * 1024, maxBacklogBytes = 2 * 1024 * 1024 } = options;
  const node = newId();
  const stats = { published: 0, failed: 0, received: 0, announced: 0, dropped: 0, garbage: 0 };
  const local = new LocalDelivery(log);
  const stop = new AbortController();
  const link = trackLink(local, log);
  let resuming = false;
  let listening = false;

  /** Channels that resume in one turn are one resumption. */
  function resumed(): void {
    if (resuming) return;
    resuming = true;
    queueMicrotask(() => {
      resuming = false;
      local.resumed();
    });
  }

  function message(text: string): void {
    const payload = decodePayload(text);
    if (payload === undefined) return void stats.garbage++;
    if (payload.node === node) return;
    stats.received++;
    stats.garbage += payload.refused;
    local.entries(payload.entries);
    for (const [room, seq] of payload.heads) local.head(room, seq);
    for (const [room, signal] of payload.signals) local.signal(room, signal);
    for (const revocation of payload.revocations) local.revoked(revocation);
  }

  function open(name: string) {
    const channel = `${prefix}bus:${name}`;
    return {
      publisher: new Publisher({
        redis,
        channel,
        node,
        stats,
        signal: stop.signal,
        maxPayloadBytes,
        maxBacklogBytes,
        link: (up) => link.set(`publish ${channel}`, up),
      }),
      subscription: new ChannelSubscription({
        redis,
        channel,
        message,
        resumed,
        link: (up) => link.set(`subscribe ${channel}`, up),
        settleMs,
        lingerMs,
      }),
    };
  }

  const control = open("control");
  const channels = Array.from({ length: shards }, (_, i) => open(String(i)));
  const of = (room: RoomId) => channels[hash(room) % shards]!;

  return {
    stats,
    publish(entries) {
      local.entries(entries);
      if (stop.signal.aborted) return;
      for (const entry of entries) of(entry.room).publisher.entry(entry);
    },
    announce(room, head) {
      local.head(room, head);
      if (!stop.signal.aborted) of(room).publisher.head(room, head);
    },
    signal(room, signal) {
      local.signal(room, signal);
      if (!stop.signal.aborted) of(room).publisher.signal(room, signal);
    },
    async serve(room, sink) {
      const remove = local.add(room, sink);
      if (stop.signal.aborted) return remove;
      const { subscription } = of(room);
      await subscription.acquire();
      let served = true;
      return () => {
        if (!served) return;
        served = false;
        remove();
        if (!stop.signal.aborted) subscription.release();
      };
    },
    revoke(revocation) {
      local.revoked(revocation);
      if (!stop.signal.aborted) control.publisher.revocation(revocation);
    },
    listen(listener) {
      local.listen(listener);
      const { up } = link;
      if (up !== undefined) queueMicrotask(() => listener.connected(up));
      if (!listening && !stop.signal.aborted) void control.subscription.acquire();
      listening = true;
    },
    async [Symbol.asyncDispose]() {
      const all = [control, ...channels];
      local.clear();
      if (link.up !== false) {
        const drained = Promise.all(all.map(({ publisher }) => publisher.drained()));
        const late = new AbortController();
        await Promise.race([drained, pause(500, late.signal)]);
        late.abort();
      }
      stop.abort();
      await Promise.all(all.map(({ subscription }) => subscription.end()));
    },
  };
}

/** The link is up when nothing fails; `up` is undefined until Redis was first asked. */
function trackLink(local: LocalDelivery, log: Log) {
  const failing = new Set<string>();
  return {
    up: undefined as boolean | undefined,
    set(part: string, works: boolean): void {
      if (works) failing.delete(part);
      else failing.add(part);
      const up = failing.size === 0;
      if (up === this.up) return;
      if (!up) log.warn("The bus to the other nodes is down", { part });
      else if (this.up === false) log.info("The bus to the other nodes is up again");
      this.up = up;
      local.connected(up);
    },
  };
}

/** FNV-1a, 32 bits, over UTF-16 units: spreads rooms, the same on every node. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  }
  return value >>> 0;
}
