import type { Receiving } from "./receivers.ts";
import { until } from "../testing/until.ts";

/** Counts what comes from now on. */
export interface WatchJob {
  do: "watch";
}

/** Waits until every receiver has got so many messages since the last `watch`. */
export interface AwaitJob {
  do: "await";
  messages: number;
}

/** What came, and from the first of it to the last. */
export interface Awaited {
  delivered: number;
  ms: number;
}

/** Starts to count; the result waits for what is to come, for a minute at most. */
export function watchMessages(receivers: Receiving): (job: AwaitJob) => Promise<Awaited> {
  const before = receivers.delivered;
  let first = NaN;
  let last = NaN;
  receivers.onEvents = () => {
    last = performance.now();
    if (Number.isNaN(first)) first = last;
  };
  return async ({ messages }) => {
    const expected = messages * receivers.size;
    await until("everything came", () => receivers.delivered - before >= expected, 60_000);
    receivers.onEvents = () => {};
    return { delivered: expected, ms: last - first };
  };
}
