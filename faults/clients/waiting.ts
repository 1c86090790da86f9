import { pause as wait } from "../../lib/backoff.ts";
import type { Random } from "../random.ts";

export { wait };

/** Resolves to true once `condition` holds, to false after `deadlineMs` or when aborted. */
export async function reached(
  condition: () => boolean,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const end = performance.now() + deadlineMs;
  while (!condition()) {
    if (signal.aborted || performance.now() > end) return false;
    await wait(10, signal);
  }
  return true;
}

/** Milliseconds before the next try: growing, random, at most 1.5 s. */
export function againMs(tries: number, random: Random): number {
  return 50 + Math.floor(random.next() * Math.min(1450, 100 * 2 ** Math.min(tries, 10)));
}
