import type { ConnectionRecord, DeliveryRecord, History } from "../history.ts";
import type { Check, Violation } from "../violation.ts";
import { about } from "./order.ts";
import type { RoomIndex } from "./room_index.ts";

/**
 * P7: nobody is given an entry later than their removal, unless somebody had begun to add them
 * again by then; strangers are let in nowhere and given nothing; after an eviction nothing comes.
 */
export const removed: Check = (history, rooms) => {
  const violations: Violation[] = [];
  const strangers = new Set(history.principals.filter((p) => p.stranger).map(({ id }) => id));
  const additions = additionsOf(history);
  for (const connection of history.deliveries) {
    const add = (message: string, delivery?: DeliveryRecord) =>
      violations.push({
        check: "removed",
        message,
        evidence: { connection: about(connection), delivery },
      });
    const { reader, head, entries } = connection;
    if (strangers.has(reader)) {
      if (head !== undefined || entries.length > 0) add("A stranger was let into a room");
      continue;
    }
    const room = rooms.get(connection.room);
    if (room === undefined) continue;
    const late = entries.find(({ at }) => connection.evicted && at > connection.evicted.at);
    if (late !== undefined) add(`Entry ${late.entry.seq} came after the eviction`, late);
    const began = additions.get(`${connection.room} ${reader}`) ?? [];
    const wrong = entries.find((delivery) => !mayHave(connection, delivery, room, began));
    if (wrong !== undefined) add(`Entry ${wrong.entry.seq} came after the removal`, wrong);
  }
  return violations;
};

interface Addition {
  startedAt: number;
  seqs: number[];
}

/** Every time somebody began to add a principal to a room, by both. */
function additionsOf({ writes }: History): Map<string, Addition[]> {
  const additions = new Map<string, Addition[]>();
  for (const { room, what, startedAt, acks } of writes) {
    if (what.type !== "add") continue;
    const key = `${room} ${what.principal}`;
    const own = additions.get(key) ?? [];
    own.push({ startedAt, seqs: acks.map(({ seq }) => seq).filter((seq) => seq > 0) });
    additions.set(key, own);
  }
  return additions;
}

function mayHave(
  { reader }: ConnectionRecord,
  { at, entry }: DeliveryRecord,
  { memberships }: RoomIndex,
  additions: readonly Addition[],
): boolean {
  const own = memberships.get(reader) ?? [];
  if (own.some(({ from, to }) => entry.seq >= from && entry.seq <= to)) return true;
  const again = own.find(({ from }) => from > entry.seq);
  if (again === undefined) return false;
  // Whoever is added sees the whole log. The entry that did it was asked for before it was seen.
  const exact = additions.filter(({ seqs }) => seqs.includes(again.from));
  const candidates = exact.length > 0 ? exact : additions;
  return additions.length === 0 || candidates.some(({ startedAt }) => startedAt <= at);
}
