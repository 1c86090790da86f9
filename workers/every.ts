/** Regular work that can be stopped. */
export interface Regular {
  /** Resolves when what is under way is done. */
  stop(): Promise<void>;
}

/**
 * Does `round` now and every `ms`, one at a time; a failed one is told and repeated later. A long
 * one should end early at its signal.
 */
export function every(
  ms: number,
  round: (stopping: AbortSignal) => Promise<unknown>,
  failed: (error: unknown) => void,
): Regular {
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  const start = () => {
    running ??= round(stopping.signal).then(() => {}, failed).finally(() => running = undefined);
  };
  const timer = setInterval(start, ms);
  start();
  return {
    async stop() {
      clearInterval(timer);
      stopping.abort();
      await running;
    },
  };
}
