import type { Receiving } from "./receivers.ts";
import { until } from "../testing/until.ts";

/** Waits until every receiver has got so many messages more. */
export interface AwaitJob {
  do: "await";
  messages: number;
}

/** What came, and from the first of it to the last. */
export interface Awaited {
  delivered: number;
  ms: number;
}

/** Does so, for a minute at most. */
export async function awaitMessages(
  { messages }: AwaitJob,
  receivers: Receiving,
): Promise<Awaited> {
  const before = receivers.delivered;
  let first = NaN;
  let last = NaN;
  receivers.onEvents = () => {
    last = performance.now();
    if (Number.isNaN(first)) first = last;
  };
  const expected = messages * receivers.size;
  await until("everything came", () => receivers.delivered - before >= expected, 60_000);
  receivers.onEvents = () => {};
  return { delivered: expected, ms: last - first };
}
