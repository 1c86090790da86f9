import { Backoff } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { toClientError } from "./errors.ts";

/**
 * Runs `work` until it succeeds, fails for good, or `forMs` (30 s) have passed.
 * Being disconnected and not having joined yet count as transient.
 */
export async function repeat<T>(clock: Clock, work: () => Promise<T>, forMs = 30_000): Promise<T> {
  const backoff = new Backoff(clock, { baseMs: 500, capMs: 4000 });
  const until = clock.now() + forMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const failure = toClientError(error);
      if (!failure.transient && failure.code !== "not_joined") throw failure;
      const delayMs = backoff.next(failure.retryAfter);
      if (clock.now() + delayMs >= until) throw failure;
      await new Promise<void>((resolve) => clock.after(delayMs, resolve));
    }
  }
}
