import type { Database } from "../lib/database/mod.ts";
import {
  deleteCrowdingMetrics,
  deleteLeftRules,
  deleteOldBuckets,
  deleteOldMetrics,
  deleteOldWriters,
  rollTelemetry,
} from "../lib/store/telemetry_series.ts";
import { TELEMETRY } from "../lib/telemetry.ts";

/** Rows of one statement. */
const BATCH = 1000;
/** So much longer is everything kept than promised: somebody may just be asking for it. */
const SLACK_SECONDS = 120;
/** What is measured once a day is not forgotten when there are too many metrics. */
const UNSEEN_SECONDS = 25 * 3600;

/**
 * Rolls telemetry up into minutes and hours, and deletes what is too old. Returns how many rows it
 * was about. Several workers may do this at once.
 */
export function rollUp(db: Database, stopping: AbortSignal): Promise<number> {
  const old = Object.entries(TELEMETRY.kept).map(([seconds, keep]) => () =>
    deleteOldBuckets(db, Number(seconds), keep + SLACK_SECONDS, BATCH)
  );
  return inBatches([() => rollTelemetry(db, BATCH), ...old], stopping);
}

/** Forgets metrics with the last of their series, and what devices left behind that have gone. */
export function forgetTelemetry(db: Database, stopping: AbortSignal): Promise<number> {
  return inBatches([
    () => deleteOldMetrics(db, TELEMETRY.kept[3600], BATCH),
    () => deleteCrowdingMetrics(db, TELEMETRY.metrics, UNSEEN_SECONDS, BATCH),
    () => deleteOldWriters(db, BATCH),
    () => deleteLeftRules(db, BATCH),
  ], stopping);
}

async function inBatches(steps: (() => Promise<number>)[], stopping: AbortSignal): Promise<number> {
  let total = 0;
  for (const step of steps) {
    let rows;
    do {
      if (stopping.aborted) return total;
      rows = await step();
      total += rows;
    } while (rows >= BATCH);
  }
  return total;
}
