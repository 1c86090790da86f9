import type { RoomId } from "../protocol.ts";
import { readEntries } from "../store/log.ts";
import type { ChatContext } from "./context.ts";

/**
 * Tells the nodes that serve `room` of a committed change. The change stands whatever happens
 * here: without the entry, its number is told and the nodes read it themselves.
 */
export async function announceChange(
  context: ChatContext,
  room: RoomId,
  seq: number,
  from = seq,
): Promise<void> {
  try {
    const entries = await readEntries(context.db, room, from, seq);
    context.bus.publish(entries);
  } catch (error) {
    context.log.warn("A committed change is announced by number only", { room, seq, error });
    context.bus.announce(room, seq);
  }
}
