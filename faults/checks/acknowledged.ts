import type { WriteRecord } from "../history.ts";
import type { Check, Violation } from "../violation.ts";
import { type RoomIndex, wishKey } from "./room_index.ts";

/**
 * P1, P3: whatever was acknowledged is in the log at the acknowledged seq, as it was sent; all
 * acknowledgements of one wish name the same seq, and only one of them says that it is the first.
 * A broker may hand over one receipt twice, so devices are exempt from the last.
 */
export const acknowledged: Check = (history, rooms) => {
  const violations: Violation[] = [];
  for (const write of history.writes) {
    const message = wrongAcks(write) ?? wrongPlace(write, rooms.get(write.room));
    if (message !== undefined) {
      violations.push({ check: "acknowledged", message, evidence: write });
    }
  }
  return violations;
};

function wrongAcks({ acks, via, what }: WriteRecord): string | undefined {
  const told = acks.filter(({ seq }) => seq > 0);
  const seqs = new Set(told.map(({ seq }) => seq));
  if (via === "rest" && what.type !== "send" && what.type !== "command") return;
  if (seqs.size > 1 && "clientId" in what) {
    return `One ${what.type} was acknowledged at several seqs: ${[...seqs].join(", ")}`;
  }
  const firsts = told.filter(({ duplicate }) => !duplicate).length;
  if (firsts > 1 && via !== "mqtt" && "clientId" in what) {
    return `One ${what.type} was acknowledged as new ${firsts} times`;
  }
}

/** Says what is wrong with the entry that the first acknowledgement names. */
function wrongPlace(write: WriteRecord, room: RoomIndex | undefined): string | undefined {
  const ack = write.acks.find(({ seq }) => seq > 0);
  if (ack === undefined) return;
  const entry = room?.bySeq.get(ack.seq);
  if (room === undefined || entry === undefined) {
    return `The acknowledged ${write.what.type} at seq ${ack.seq} is not in the log`;
  }
  const { what, actor } = write;
  const { event } = entry;
  if (what.type === "send") {
    if (event.type !== "message.created" || event.message.sender.id !== actor) {
      return `The entry at seq ${ack.seq} is not the acknowledged message`;
    }
    if (room.seqOf.get(wishKey(actor, what.clientId)) !== ack.seq) {
      return `The message acknowledged at seq ${ack.seq} is not stored there by its client id`;
    }
    const untouched = event.message.updatedSeq === ack.seq;
    if (untouched && event.message.text !== what.text) {
      return `The message at seq ${ack.seq} is not what was sent`;
    }
  } else if (what.type === "edit" || what.type === "delete") {
    const about = "message" in event ? event.message.seq : undefined;
    if (about !== what.target) return `The entry at seq ${ack.seq} is about something else`;
    // REST answers with the message as it is a moment later, perhaps changed once more.
    if (ack.duplicate || write.via === "rest") return;
    const type = what.type === "edit" ? "message.edited" : "message.deleted";
    if (event.type !== type || event.actor.id !== actor) {
      return `The entry at seq ${ack.seq} is not the acknowledged ${what.type}`;
    }
  }
}
