import type { Receivers } from "./receivers.ts";
import type { Senders } from "./senders.ts";
import { until } from "../testing/until.ts";

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
  /** Events that were missing or came twice. */
  wrong: number;
  ms: number;
}

/** The closed loop: a message is on its way until every receiver has got it. */
export async function saturate(
  { room, inFlight, ms }: SaturateJob,
  receivers: Receivers,
  senders: Senders,
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
  const all = () => receivers.delivered - before.delivered >= messages * size;
  await until("every message reached every receiver", all);
  receivers.onEvents = () => {};
  return {
    messages,
    delivered: receivers.delivered - before.delivered,
    wrong: receivers.wrong - before.wrong,
    ms: performance.now() - start,
  };
}
