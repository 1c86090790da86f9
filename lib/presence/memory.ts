import type { PrincipalId } from "../protocol.ts";
import type { Presence, PresenceTimes } from "./mod.ts";

/**
 * Presence in this process: always known. It holds what is held or in its grace, and forgets what
 * has lapsed at the latest one lease later.
 */
export function createMemoryPresence(
  times: PresenceTimes,
  /** Milliseconds of a clock that never runs backwards. */
  now: () => number = () => performance.now(),
): Presence {
  const ends = new Map<PrincipalId, Map<string, number>>();
  let sweptAt = now();

  function live(principal: PrincipalId, at: number): boolean {
    for (const end of ends.get(principal)?.values() ?? []) if (end > at) return true;
    return false;
  }

  function sweep(at: number): void {
    if (at - sweptAt < times.leaseMs) return;
    sweptAt = at;
    for (const [principal, sessions] of ends) {
      for (const [session, end] of sessions) if (end <= at) sessions.delete(session);
      if (sessions.size === 0) ends.delete(principal);
    }
  }

  const presence: Presence = {
    times,
    hold(sessions) {
      const at = now();
      sweep(at);
      const came: PrincipalId[] = [];
      for (const { principal, session } of sessions) {
        if (!live(principal, at)) came.push(principal);
        let own = ends.get(principal);
        if (own === undefined) ends.set(principal, own = new Map());
        own.set(session, at + times.leaseMs);
      }
      return Promise.resolve(came);
    },
    release(sessions) {
      const at = now();
      for (const { principal, session } of sessions) {
        const own = ends.get(principal);
        if ((own?.get(session) ?? at) > at) own!.set(session, at + times.graceMs);
      }
      return Promise.resolve(true);
    },
    online(principals) {
      const at = now();
      return Promise.resolve(new Set(principals.filter((principal) => live(principal, at))));
    },
    another: () => presence,
    [Symbol.asyncDispose]() {
      ends.clear();
      return Promise.resolve();
    },
  };
  return presence;
}
