import type { History, WriteRecord } from "../history.ts";
import type { Check, Violation } from "../violation.ts";
import { type RoomIndex, wishKey } from "./room_index.ts";

/**
 * P2: the log agrees with the clock: what was acknowledged before another wish was first sent has
 * the smaller seq in their room.
 */
export const realTime: Check = (history, rooms) => {
  const violations: Violation[] = [];
  for (const [id, writes] of placedWrites(history, rooms)) {
    const byStart = writes.toSorted((a, b) => a.write.startedAt - b.write.startedAt);
    const byAck = writes.toSorted((a, b) => a.ackedAt - b.ackedAt);
    let highest: Placed | undefined;
    let next = 0;
    for (const later of byStart) {
      while (next < byAck.length && byAck[next]!.ackedAt < later.write.startedAt) {
        const earlier = byAck[next++]!;
        if (highest === undefined || earlier.seq > highest.seq) highest = earlier;
      }
      if (highest === undefined || highest.seq < later.seq) continue;
      violations.push({
        check: "real time",
        message: `Seq ${later.seq} was asked for after seq ${highest.seq} was acknowledged`,
        evidence: { room: id, earlier: highest.write, later: later.write },
      });
    }
  }
  return violations;
};

interface Placed {
  write: WriteRecord;
  seq: number;
  ackedAt: number;
}

/** The acknowledged wishes that stand in the log by their own client id, by room. */
function placedWrites({ writes }: History, rooms: ReadonlyMap<string, RoomIndex>) {
  const placed = new Map<string, Placed[]>();
  for (const write of writes) {
    if (!("clientId" in write.what) || write.acks.length === 0) continue;
    const key = wishKey(write.actor, write.what.clientId);
    const seq = rooms.get(write.room)?.seqOf.get(key);
    if (seq === undefined) continue;
    const ackedAt = Math.min(...write.acks.map(({ at }) => at));
    const own = placed.get(write.room);
    if (own === undefined) placed.set(write.room, [{ write, seq, ackedAt }]);
    else own.push({ write, seq, ackedAt });
  }
  return placed;
}
