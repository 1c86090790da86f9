import type { Scene } from "./scene.ts";

/** What became of the readings of some rooms so far. */
export interface ReadingTotals {
  /** In the latest values, which count them. */
  stored: number;
  /** In the series. */
  series: number;
  /** Not stored, and counted as such. */
  dropped: number;
}

/** When nothing was stored or dropped for so long, nothing more is waited for. */
const QUIET_MS = 10_000;
const EVERY_MS = 100;

export async function readingTotals({ db }: Scene, rooms: string[]): Promise<ReadingTotals> {
  const [row] = await db.query<Record<keyof ReadingTotals, number>>(
    `select
       (select coalesce(sum(count), 0)::bigint from telemetry_latest
        where room_id = any ($1::uuid[])) as stored,
       (select coalesce(sum(count), 0)::bigint from telemetry_buckets
        where room_id = any ($1::uuid[]) and seconds = 10) as series,
       (select coalesce(sum(dropped), 0)::bigint from telemetry_drops
        where room_id = any ($1::uuid[])) as dropped`,
    [rooms],
  );
  return row!;
}

/**
 * Waits until `readings` more than `before` are stored or dropped, or no more come. Answers with
 * what was added, and with when the last of it was seen, by the clock of performance.now().
 */
export async function readingsSince(
  scene: Scene,
  rooms: string[],
  { before, readings }: { before: ReadingTotals; readings: number },
): Promise<ReadingTotals & { lastAt: number }> {
  let added = { stored: 0, series: 0, dropped: 0 };
  let lastAt = performance.now();
  while (added.stored + added.dropped < readings && performance.now() - lastAt < QUIET_MS) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    const { stored, series, dropped } = await readingTotals(scene, rooms);
    const now = {
      stored: stored - before.stored,
      series: series - before.series,
      dropped: dropped - before.dropped,
    };
    if (now.stored + now.dropped !== added.stored + added.dropped) lastAt = performance.now();
    added = now;
  }
  return { ...added, lastAt };
}
