import type { History, WriteRecord } from "../history.ts";
import type { Check, Violation } from "../violation.ts";
import { type RoomIndex, wishKey } from "./room_index.ts";
import { isMadeByRule } from "./rules.ts";

/**
 * P3: no wish is stored twice, acknowledged or not, by its client id and by its text; nothing is
 * stored that nobody asked for, and nothing that was refused at its only try. (A broker may hand a
 * device's message over again by itself, so a device's refusal proves nothing.)
 */
export const once: Check = (history, rooms) => {
  const violations: Violation[] = [];
  const texts = textsOf(history);
  for (const room of rooms.values()) {
    violations.push(...twiceById(room), ...twiceByText(room, texts), ...unasked(room, history));
  }
  for (const write of history.writes) {
    if (!("clientId" in write.what) || write.refusal === undefined) continue;
    if (write.tries > 1 || write.via === "mqtt" || write.acks.length > 0) continue;
    const seq = rooms.get(write.room)?.seqOf.get(wishKey(write.actor, write.what.clientId));
    if (seq === undefined) continue;
    const message = `A ${write.what.type} was refused (${write.refusal.code}) and is stored`;
    violations.push({ check: "once", message, evidence: { write, seq } });
  }
  return violations;
};

/** How often each text was asked to be sent, by room, sender and text. */
function textsOf({ writes }: History): Map<string, number> {
  const texts = new Map<string, number>();
  for (const { room, actor, what } of writes as readonly WriteRecord[]) {
    if (what.type !== "send") continue;
    const key = `${room} ${actor} ${what.text}`;
    texts.set(key, (texts.get(key) ?? 0) + 1);
  }
  return texts;
}

function twiceById({ final }: RoomIndex): Violation[] {
  const first = new Map<string, number>();
  const violations: Violation[] = [];
  for (const { sender, clientId, seq } of final.stored) {
    const key = wishKey(sender, clientId);
    const other = first.get(key);
    if (other === undefined) first.set(key, seq);
    else {
      const evidence = { room: final.room, sender, clientId, seqs: [other, seq] };
      violations.push({ check: "once", message: "One client id is stored twice", evidence });
    }
  }
  return violations;
}

function twiceByText({ final }: RoomIndex, texts: ReadonlyMap<string, number>): Violation[] {
  const seqs = new Map<string, number[]>();
  const violations: Violation[] = [];
  for (const { seq, event } of final.log) {
    if (event.type !== "message.created" || event.message.updatedSeq !== seq) continue;
    const key = `${final.room} ${event.message.sender.id} ${event.message.text}`;
    const own = seqs.get(key) ?? [];
    seqs.set(key, [...own, seq]);
    if (own.length === (texts.get(key) ?? Infinity)) {
      const evidence = { room: final.room, event, seqs: [...own, seq] };
      violations.push({ check: "once", message: "One message is stored twice", evidence });
    }
  }
  return violations;
}

function unasked({ final, wishOf }: RoomIndex, { metering }: History): Violation[] {
  return final.log.filter(({ seq, event }) =>
    "message" in event && event.type !== "command.updated" && !wishOf.has(seq)
  )
    .filter((entry) => !isMadeByRule(metering, entry))
    .map((entry) => ({
      check: "once",
      message: `Nobody asked for entry ${entry.seq}`,
      evidence: entry,
    }));
}
