/** How one service answered. */
export interface CheckResult {
  ok: boolean;
  ms: number;
}

/** How all of them answered. */
export interface Readiness {
  ok: boolean;
  checks: Record<string, CheckResult>;
}

const DEADLINE_MS = 2000;

/**
 * Makes a function that asks all services at once, each within 2 s. Whoever asks while it is under
 * way gets the same answer, so that probes cannot pile up. Failures go to `failed`, not to callers.
 */
export function readinessOf(
  checks: Record<string, () => Promise<void>>,
  failed: (name: string, error: unknown) => void,
): () => Promise<Readiness> {
  let running: Promise<Readiness> | undefined;
  const askAll = async (): Promise<Readiness> => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => {
        const start = performance.now();
        const error = await failureOf(check);
        if (error !== undefined) failed(name, error);
        const result = { ok: error === undefined, ms: Math.round(performance.now() - start) };
        return [name, result] as const;
      }),
    );
    return { ok: results.every(([, { ok }]) => ok), checks: Object.fromEntries(results) };
  };
  return () =>
    running ??= askAll().finally(() => {
      running = undefined;
    });
}

async function failureOf(check: () => Promise<void>): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No answer within ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  try {
    await Promise.race([check(), late]);
    return undefined;
  } catch (error) {
    return error ?? new Error("Failed");
  } finally {
    clearTimeout(timer);
  }
}
