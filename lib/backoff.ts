/**
 * How long to wait before attempt number `attempt` (the first repeat is 1), in milliseconds: a
 * random part of an exponentially growing span, so that many clients do not come back together
 * ("full jitter", AWS Architecture Blog, "Exponential Backoff And Jitter").
 */
export function backoffMs(
  attempt: number,
  { baseMs = 50, capMs = 2_000 }: { baseMs?: number; capMs?: number } = {},
): number {
  const span = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
  return Math.floor(Math.random() * span);
}

/** Resolves after `ms`, or at once when `signal` is aborted; never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });
}
