import type { RoomId } from "../lib/protocol.ts";
import type { Client } from "./clients/client.ts";
import { reached } from "./clients/waiting.ts";
import type { ConvergenceRecord } from "./history.ts";

/** Waits until each of `readers` has a room up to `head`, at most `deadlineMs`, and says when it had. */
export async function whenReached(
  readers: readonly Client[],
  room: RoomId,
  head: number,
  deadlineMs: number,
  now: () => number,
): Promise<ConvergenceRecord["reached"]> {
  const times = new Map<Client, number>();
  const look = () => {
    for (const reader of readers) {
      if (!times.has(reader) && reader.position(room)! >= head) times.set(reader, now());
    }
    return times.size === readers.length;
  };
  await reached(look, deadlineMs, new AbortController().signal);
  return readers.map((reader) => {
    const at = times.get(reader);
    return { client: reader.name, room, ...(at === undefined ? {} : { at }) };
  });
}
