import { Latencies } from "./latencies.ts";
import type { Senders } from "./senders.ts";

/** Every sender sends to its room, one message at a time, for `ms`. */
export interface AckedSendsJob {
  do: "sends";
  /** One for each sender. */
  rooms: string[];
  ms: number;
}

/** What senders that wait for every acknowledgement reached. */
export interface AckedSends {
  perSecond: number;
  messages: number;
  p50Ms: number;
  p99Ms: number;
}

/** Runs the senders side by side; `send` resolves when its message is acknowledged. */
export async function ackedLoop(
  rooms: string[],
  ms: number,
  send: (sender: number, room: string) => Promise<unknown>,
): Promise<AckedSends> {
  const latencies = new Latencies();
  const start = performance.now();
  const end = start + ms;
  await Promise.all(rooms.map(async (room, sender) => {
    for (let at = performance.now(); at < end;) {
      await send(sender, room);
      const now = performance.now();
      latencies.add(now - at);
      at = now;
    }
  }));
  return {
    perSecond: latencies.count / (performance.now() - start) * 1000,
    messages: latencies.count,
    p50Ms: latencies.percentile(50),
    p99Ms: latencies.percentile(99),
  };
}

/** The same over sockets, one for each sender. */
export function ackedSends({ rooms, ms }: AckedSendsJob, senders: Senders): Promise<AckedSends> {
  return ackedLoop(
    rooms,
    ms,
    (sender, room) => new Promise((resolve) => senders.send(sender, room, resolve)),
  );
}
