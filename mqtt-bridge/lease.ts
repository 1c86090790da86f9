import { backoffMs, pause } from "../lib/backoff.ts";
import type { Log } from "../lib/log.ts";
import type { BridgeStore, LeaseHold } from "./ports.ts";

/** How a lease is kept. */
export interface LeaseOptions {
  store: Pick<BridgeStore, "takeLease" | "renewLease" | "releaseLease">;
  name: string;
  /** Names this process. */
  holder: string;
  log: Log;
  /** Default 4,000, by the database's clock. */
  ttlMs?: number;
  /** Default 1,000. */
  renewMs?: number;
}

/** A lease that is held, and renewed until it is lost or released. */
export interface HeldLease extends LeaseHold {
  /** Aborts when it can no longer be trusted: taken by another, or not renewed in time. */
  lost: AbortSignal;
  /** Asks the database now; false (and lost) when it is not ours any more. Rejects when it cannot. */
  verify(): Promise<boolean>;
  /** Stops renewing and lets the next in. */
  release(): Promise<void>;
}

/** Waits until the lease is ours; undefined when `signal` comes first. */
export async function acquireLease(
  options: LeaseOptions,
  signal: AbortSignal,
): Promise<HeldLease | undefined> {
  const { store, name, holder, ttlMs = 4000, renewMs = 1000 } = options;
  for (let failures = 0; !signal.aborted;) {
    const askedAt = performance.now();
    try {
      const term = await store.takeLease(name, holder, ttlMs);
      if (term !== undefined) return hold(options, { name, holder, term }, askedAt);
      failures = 0;
      await pause(renewMs * (0.25 + Math.random() * 0.25), signal);
    } catch (error) {
      if (++failures === 3) options.log.warn("The lease cannot be asked for", { name, error });
      await pause(backoffMs(failures, { baseMs: 100, capMs: 5000 }), signal);
    }
  }
  return undefined;
}

function hold(options: LeaseOptions, lease: LeaseHold, takenAt: number): HeldLease {
  const { store, log, ttlMs = 4000, renewMs = 1000 } = options;
  const lost = new AbortController();
  const ended = new AbortController();
  let expiry: ReturnType<typeof setTimeout> | undefined;
  const lose = (reason: string) => {
    if (lost.signal.aborted || ended.signal.aborted) return;
    log.warn("The lease is lost", { name: lease.name, term: lease.term, reason });
    lost.abort();
    ended.abort();
  };
  // Counted from before the question, so that we stop before the database lets another in.
  const trustFrom = (askedAt: number) => {
    clearTimeout(expiry);
    const leftMs = askedAt + ttlMs * 0.9 - performance.now();
    expiry = setTimeout(() => lose("it could not be renewed in time"), Math.max(0, leftMs));
  };
  const verify = async () => {
    const askedAt = performance.now();
    const ours = await store.renewLease(lease, ttlMs);
    if (ended.signal.aborted) return false;
    if (ours) trustFrom(askedAt);
    else lose("another bridge has it");
    return ours;
  };
  trustFrom(takenAt);
  const renewing = (async () => {
    while (!ended.signal.aborted) {
      await pause(renewMs, ended.signal);
      if (ended.signal.aborted) break;
      await Promise.race([verify().catch(() => false), pause(ttlMs, ended.signal)]);
    }
    clearTimeout(expiry);
  })();
  return {
    ...lease,
    lost: lost.signal,
    verify,
    async release() {
      ended.abort();
      clearTimeout(expiry);
      await renewing;
      await store.releaseLease(lease).catch(() => {}); // it runs out by itself
    },
  };
}
