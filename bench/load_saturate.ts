import type { Receiving } from "./receivers.ts";
import type { Sending } from "./senders.ts";
import { until } from "../testing/until.ts";

/** What has not come so long after the last send counts as missing. */
const DRAIN_MS = 30_000;

/** Keeps `inFlight` messages on their way to all receivers for `ms`. */
export interface SaturateJob {
  do: "saturate";
  room: string;
  inFlight: number;
  ms: number;
}

/** What a closed loop did, from its first send to its last delivery. */
export interface Saturated {
  messages: number;
  delivered: number;
  /** Messages that were missing or came twice. */
  wrong: number;
  ms: number;
}

/** The closed loop: a message is on its way until every receiver has got it. */
export async function saturate(
  { room, inFlight, ms }: SaturateJob,
  receivers: Receiving,
  senders: Sending,
): Promise<Saturated> {
  const { size } = receivers;
  const before = { delivered: receivers.delivered, wrong: receivers.wrong };
  const start = performance.now();
  let messages = 0;
  let open = true;
  const pump = () => {
    const delivered = receivers.delivered - before.delivered;
    while (open && messages * size - delivered <= (inFlight - 1) * size) {
      senders.send(messages++, room, () => {});
    }
  };
  receivers.onEvents = pump;
  pump();
  await new Promise((resolve) => setTimeout(resolve, ms));
  open = false;
  const missing = () => messages * size - (receivers.delivered - before.delivered);
  await until("everything arrived", () => missing() <= 0, DRAIN_MS).catch(() => {});
  receivers.onEvents = () => {};
  return {
    messages,
    delivered: receivers.delivered - before.delivered,
    wrong: receivers.wrong - before.wrong + missing(),
    ms: performance.now() - start,
  };
}
