import { atRate } from "./at_rate.ts";
import type { Receivers } from "./receivers.ts";
import type { Senders } from "./senders.ts";
import { until } from "../testing/until.ts";

/** Sends far more than can be delivered, while some receivers do not read at all. */
export interface OverloadJob {
  do: "overload";
  room: string;
  perSecond: number;
  ms: number;
  /** Receivers that stop to read before it begins. */
  asleep: number;
}

/** What became of everything. */
export interface Overloaded {
  messages: number;
  acked: number;
  /** Refused sends by code. */
  refused: Record<string, number>;
  /** Sends that never got an answer. */
  unanswered: number;
  /** Messages that were missing or came twice at those who stayed. */
  wrong: number;
  /** Receivers that stayed, and have all that was acknowledged. */
  stayed: number;
  /** Receivers that stayed and lack something. */
  behind: number;
  /** Receivers that were closed, by close code. */
  closed: Record<string, number>;
}

/** Does so, wakes the sleepers at the end, and waits until everything has come to rest. */
export async function overload(
  { room, perSecond, ms, asleep }: OverloadJob,
  receivers: Receivers,
  senders: Senders,
): Promise<Overloaded> {
  const before = receivers.wrong;
  const sleepers = receivers.sockets.slice(0, asleep);
  for (const socket of sleepers) socket.sleep();
  let acked = 0;
  let last = 0;
  const messages = Math.round(perSecond * ms / 1000);
  await atRate(messages, perSecond, (number) => {
    senders.send(number, room, (seq) => {
      acked++;
      last = Math.max(last, seq);
    });
  });
  await until("every send was answered", () => senders.waiting === 0, 20_000).catch(() => {});
  for (const socket of sleepers) socket.wake();
  const all = () => receivers.upTo(last) === receivers.size;
  await until("everybody has everything", all, 20_000).catch(() => {});
  const unanswered = senders.waiting;
  senders.forget();
  return {
    messages,
    acked,
    refused: senders.refused,
    unanswered,
    wrong: receivers.wrong - before,
    stayed: receivers.upTo(last),
    behind: receivers.size - receivers.upTo(last),
    closed: receivers.ended,
  };
}
