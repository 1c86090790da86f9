import type { History, WriteRecord } from "../history.ts";
import type { Check, Violation } from "../violation.ts";
import { type RoomIndex, wishKey } from "./room_index.ts";

/**
 * P8: what one sender sends to a room over one connection, without waiting for the answers, is
 * stored in the order in which it was sent. Judged where the order is certain: of acknowledged
 * sends over a socket or by a device that were sent once; a sender with several writing clients
 * begins its client ids with the client's name and a colon.
 */
export const senderOrder: Check = (history, rooms) => {
  const violations: Violation[] = [];
  for (const sends of pipelines(history, rooms).values()) {
    const inOrder = sends.toSorted((a, b) => a.write.startedAt - b.write.startedAt);
    let highest = inOrder[0]!;
    for (const one of inOrder) {
      if (one.seq < highest.seq && one.write.startedAt > highest.write.startedAt) {
        violations.push({
          check: "sender order",
          message: `Seq ${one.seq} was sent after seq ${highest.seq} over the same connection`,
          evidence: { first: highest.write, second: one.write },
        });
      }
      if (one.seq > highest.seq) highest = one;
    }
  }
  return violations;
};

interface Sent {
  write: WriteRecord;
  seq: number;
}

function pipelines({ writes }: History, rooms: ReadonlyMap<string, RoomIndex>) {
  const found = new Map<string, Sent[]>();
  for (const write of writes) {
    const { what, via, tries, acks } = write;
    if (what.type !== "send" || tries !== 1 || acks.length === 0) continue;
    if (via !== "ws" && via !== "mqtt") continue;
    const seq = rooms.get(write.room)?.seqOf.get(wishKey(write.actor, what.clientId));
    if (seq === undefined) continue;
    const client = /^(.*):/.exec(what.clientId)?.[1] ?? "";
    const key = `${write.room} ${write.actor} ${via} ${client}`;
    const own = found.get(key);
    if (own === undefined) found.set(key, [{ write, seq }]);
    else own.push({ write, seq });
  }
  return found;
}
