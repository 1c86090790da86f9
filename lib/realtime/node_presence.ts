import type { ChatContext } from "../chat/context.ts";
import { hearPresence, hintPresence, membersOf, traitsOf, whoIsOnline } from "../chat/presence.ts";
import { TokenBucket } from "../limits/memory.ts";
import { PresenceSessions } from "../presence/sessions.ts";
import type { PrincipalId } from "../protocol.ts";
import type { Batch } from "./batch.ts";
import { PresenceWatch } from "./presence_watch.ts";
import type { Subscription } from "./subscription.ts";

/** What connections tell of themselves so that others see who is online. No call fails or waits. */
export interface NodePresence {
  /** Connections that count as presence. */
  readonly sessions: number;
  /** A connection of somebody is open; `connection` is its id. */
  opened(principal: PrincipalId, connection: string): void;
  /** It is closed; saying so again changes nothing. */
  closed(connection: string): void;
  /** A room was joined: the subscriber is told who comes and goes, until the subscription ends. */
  look(subscription: Subscription): void;
  /** A subscriber was given entries. */
  entries(batch: Batch): void;
  /** Lets go of all sessions, so that they end after their grace, and tells nothing more. */
  stop(): Promise<void>;
}

/** What the presence of a node works with. */
export interface NodePresenceOptions {
  chat: Pick<ChatContext, "db" | "bus" | "presence" | "log">;
  /** Members of the largest rooms that have presence; 0 for none at all. */
  maxMembers: number;
  /** See PresenceWatchOptions. */
  gatherMs?: number;
}

/** People per second whom other nodes are told to look at; beyond that, their rounds find them. */
const HINTS = { perSecond: 500, burst: 1_000 };
/** Three rounds in less than a lease, so that a dead node is told of in time, with a retry. */
const ROUNDS_PER_LEASE = 10 / 3;

/** Keeps the sessions of this node and watches the rooms that somebody here looks at. */
export function createNodePresence(options: NodePresenceOptions): NodePresence {
  const { chat, maxMembers, gatherMs } = options;
  const { bus, presence, log } = chat;
  const off = maxMembers === 0;
  const hints = new TokenBucket(HINTS);
  const sessions = new PresenceSessions({
    presence,
    changed: (principals) => {
      if (hints.take(principals.length).granted) hintPresence(bus, principals);
    },
  });
  const watch = new PresenceWatch({
    members: (rooms) => membersOf(chat, rooms, maxMembers),
    traits: (devices) => traitsOf(chat, devices),
    online: async (principals) => {
      const online = await whoIsOnline(presence, principals);
      // Whoever is connected here is online, whatever became of the lease.
      for (const id of principals) if (sessions.has(id)) online?.add(id);
      return online;
    },
    hear: (heard) => hearPresence(bus, heard),
    log,
    roundMs: presence.times.leaseMs / ROUNDS_PER_LEASE,
    ...(gatherMs === undefined ? {} : { gatherMs }),
  });
  return {
    get sessions() {
      return sessions.size;
    },
    opened(principal, connection) {
      if (!off) sessions.open(principal, connection);
    },
    closed: (connection) => sessions.close(connection),
    look(subscription) {
      if (!off) watch.look(subscription);
    },
    entries: (batch) => watch.entries(batch),
    async stop() {
      await Promise.all([sessions.stop(), watch.stop()]);
    },
  };
}
