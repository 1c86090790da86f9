import { backoffMs, pause } from "../backoff.ts";
import { ConfabError } from "../errors.ts";
import type { Lanes } from "../lanes.ts";

/** Less than clients wait for an answer, with one slow statement behind it. */
const PATIENCE_MS = 5_000;
const RETRY_AFTER_SECONDS = 1;

/**
 * Makes a change that others may overtake between its reading and its writing: `attempt` resolves to
 * undefined then, having changed nothing. On this node those of one `key` come one after the other;
 * what other nodes overtake is tried again after a moment, a random one. Throws `unavailable` when
 * that goes on for `patienceMs`.
 */
export function inTurn<T>(
  lanes: Lanes,
  key: string,
  attempt: () => Promise<T | undefined>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const end = performance.now() + patienceMs;
  return lanes.run(key, async () => {
    for (let tries = 1; performance.now() < end; tries++) {
      const made = await attempt();
      if (made !== undefined) return made;
      await pause(backoffMs(tries, { baseMs: 2, capMs: 200 }));
    }
    throw new ConfabError("unavailable", "Too many others change this at the moment", {
      retryAfter: RETRY_AFTER_SECONDS,
    });
  });
}
