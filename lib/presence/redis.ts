import { newId } from "../ids.ts";
import type { Log } from "../log.ts";
import type { PrincipalId } from "../protocol.ts";
import type { Redis } from "../redis/mod.ts";
import type { Presence, PresenceSession, PresenceTimes } from "./mod.ts";
import { HOLD, READ, RELEASE } from "./scripts.ts";

/**
 * Presence that all nodes share, at one command per call. It is unknown while Redis does not
 * answer, while this node cannot renew its leases, and for the time to settle after Redis lost data,
 * was started again, or was away for half a lease: others may not have come back yet. `redis` stays the caller's to close.
 */
export function createRedisPresence(
  redis: Redis,
  { prefix, log, times }: {
    /** Begins the name of every key. */
    prefix: string;
    log: Log;
    times: PresenceTimes;
  },
): Presence {
  const [nodes, kept] = [`${prefix}presence:nodes`, `${prefix}presence:kept`];
  const keyOf = (principal: PrincipalId) => `${prefix}presence:of:${principal}`;
  const keysOf = (sessions: PresenceSession[]) => sessions.map((one) => keyOf(one.principal));
  let failedAt = -Infinity;
  let away = false;

  async function run(script: string, keys: string[], args: (string | number)[]) {
    try {
      const answer = await redis.command(["EVAL", script, keys.length, ...keys, ...args]);
      if (away) log.info("Presence is kept again");
      away = false;
      return answer;
    } catch (error) {
      if (!away) log.warn("Presence is unknown", { error });
      away = true;
      return undefined;
    }
  }

  const heldBy = (node: string): Presence => ({
    times,
    async hold(sessions) {
      const args = [node, times.leaseMs, ...sessions.map(({ session }) => session)];
      const answer = await run(HOLD, [nodes, kept, ...keysOf(sessions)], args);
      failedAt = Array.isArray(answer) ? -Infinity : performance.now();
      if (!Array.isArray(answer)) return undefined;
      const came = new Set(answer.map((place) => sessions[Number(place) - 1]?.principal));
      came.delete(undefined);
      return [...came] as PrincipalId[];
    },
    async release(sessions, last = false) {
      const names = sessions.map(({ session }) => session);
      const args = [node, times.graceMs, last ? 1 : 0, ...names];
      return await run(RELEASE, [nodes, ...keysOf(sessions)], args) !== undefined;
    },
    async online(principals) {
      // Other nodes that cannot write may look offline, too.
      if (performance.now() - failedAt < times.leaseMs) return undefined;
      const keys = [nodes, kept, ...principals.map(keyOf)];
      const answer = await run(READ, keys, [times.settleMs, times.leaseMs]);
      if (!Array.isArray(answer) || Number(answer[0]) !== 1) return undefined;
      return new Set(principals.filter((_, i) => Number(answer[i + 1]) === 1));
    },
    another: () => heldBy(newId()),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
  return heldBy(newId());
}
