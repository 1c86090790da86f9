import type { PrincipalId } from "../protocol.ts";

/**
 * One stay of somebody: a connection, or a device's session at a broker. `session` is chosen by the
 * caller, unique for ever, and never used for another stay: what ends one cannot end a later one.
 */
export interface PresenceSession {
  principal: PrincipalId;
  session: string;
}

/** How long things last, in milliseconds; all nodes must agree. */
export interface PresenceTimes {
  /** How long a session counts after it was last held: so long a dead node's sessions are believed. */
  leaseMs: number;
  /** How long a released session still counts, so that a reconnect goes unnoticed. */
  graceMs: number;
  /** Within this every node has held its sessions again after the leases were lost. */
  settleMs: number;
}

/** Most sessions or principals in one call: each call is one command. */
export const PRESENCE_BATCH = 500;

/**
 * Who is online: a principal with at least one live session, on whatever node. Sessions live on
 * leases that whoever has them renews with `hold`, so those of a dead node end by themselves; time
 * is that of the shared store, never that of a node. The store may be lost at any time: presence is
 * then unknown until all who hold sessions have had the time to hold them again, never "offline".
 *
 * No call rejects: errors are logged inside, and answered as said below. Calls of one node that
 * concern the same session must not overlap.
 */
export interface Presence extends AsyncDisposable {
  readonly times: PresenceTimes;
  /**
   * Takes or renews the leases of sessions. Answers with those principals who had no live session
   * before, or undefined when it is not known whether the leases were taken: hold them again.
   */
  hold(sessions: PresenceSession[]): Promise<PrincipalId[] | undefined>;
  /**
   * Lets live sessions end after the grace; `last` says that this holder has no others. False when
   * that is not known to have worked.
   */
  release(sessions: PresenceSession[], last?: boolean): Promise<boolean>;
  /** Those of `principals` who are online; undefined while that is unknown. */
  online(principals: PrincipalId[]): Promise<Set<PrincipalId> | undefined>;
  /** The same for another holder in this process, whose last session says nothing of this one's. */
  another(): Presence;
}

/** The times that follow from the length of a lease; nodes renew three times in that. */
export function presenceTimes(leaseSeconds: number): PresenceTimes {
  const leaseMs = leaseSeconds * 1000;
  return { leaseMs, graceMs: Math.min(10_000, leaseMs / 3), settleMs: leaseMs / 2 };
}
