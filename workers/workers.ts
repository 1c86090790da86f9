import type { Services } from "../lib/services.ts";
import { sweep } from "./sweeps.ts";

const SWEEP_MS = 60_000;

/** Starts the role `workers`: regular work that nobody waits for. A failed round is repeated later. */
export function startWorkers({ db, log }: Services): { stop(): Promise<void> } {
  let running: Promise<void> | undefined;
  const round = () => {
    running ??= sweep(db, log).then(() => {}, (error) => log.warn("A sweep failed", { error }))
      .finally(() => running = undefined);
  };
  const timer = setInterval(round, SWEEP_MS);
  round();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
