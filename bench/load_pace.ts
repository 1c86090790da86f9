import { atRate } from "./at_rate.ts";
import { Latencies } from "./latencies.ts";
import type { Receiving } from "./receivers.ts";
import type { Sending } from "./senders.ts";
import { until } from "../testing/until.ts";

const MAX_FRAMES = 1 << 22;
/** What has not come so long after the last send counts as missing. */
const DRAIN_MS = 20_000;

/** Sends at a fixed rate, whatever the server does. */
export interface PaceJob {
  do: "pace";
  room: string;
  perSecond: number;
  ms: number;
}

/** What an open loop saw; the times run from when a message was due to its delivery. */
export interface Paced {
  messages: number;
  delivered: number;
  /** Events that were missing or came twice, and messages that did not reach every receiver. */
  wrong: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** The open loop: what is late is sent at once and counts from when it was due. */
export async function pace(
  { room, perSecond, ms }: PaceJob,
  receivers: Receiving,
  senders: Sending,
): Promise<Paced> {
  const before = { delivered: receivers.delivered, wrong: receivers.wrong };
  const arrivals = new Arrivals();
  const dueAt = new Map<number, number>();
  receivers.onEvents = (first, last) => arrivals.add(first, last);
  const messages = Math.round(perSecond * ms / 1000);
  await atRate(messages, perSecond, (number, at) => {
    senders.send(number, room, (seq) => void dueAt.set(seq, at));
  });
  const expected = messages * receivers.size;
  const delivered = () => receivers.delivered - before.delivered;
  const all = () => delivered() >= expected && senders.waiting === 0;
  await until("everything arrived", all, DRAIN_MS).catch(() => {}); // what did not is counted as wrong
  receivers.onEvents = () => {};
  const latencies = new Latencies();
  arrivals.each((seq, at) => latencies.add(at - dueAt.get(seq)!));
  return {
    messages,
    delivered: delivered(),
    wrong: receivers.wrong - before.wrong + expected - delivered(),
    p50Ms: latencies.percentile(50),
    p99Ms: latencies.percentile(99),
    maxMs: latencies.percentile(100),
  };
}

/** When which events came, in little memory: objects would let the collector disturb the times. */
class Arrivals {
  readonly #at = new Float64Array(MAX_FRAMES);
  readonly #first = new Float64Array(MAX_FRAMES);
  readonly #last = new Float64Array(MAX_FRAMES);
  #count = 0;

  add(first: number, last: number): void {
    if (this.#count === MAX_FRAMES) throw new Error("More frames than can be kept");
    this.#at[this.#count] = performance.now();
    this.#first[this.#count] = first;
    this.#last[this.#count++] = last;
  }

  each(visit: (seq: number, at: number) => void): void {
    for (let i = 0; i < this.#count; i++) {
      for (let seq = this.#first[i]!; seq <= this.#last[i]!; seq++) visit(seq, this.#at[i]!);
    }
  }
}
