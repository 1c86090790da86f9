import type { Message, PrincipalId } from "../../lib/protocol.ts";
import type { Check, Violation } from "../violation.ts";
import type { RoomIndex } from "./room_index.ts";

/**
 * P4: whoever applies the log from its beginning has what a fresh read shows: messages with their
 * edits and deletions, and members with their roles. The content of every message is that of the
 * wish that changed it last.
 */
export const rebuilt: Check = (_history, rooms) => {
  const violations: Violation[] = [];
  for (const room of rooms.values()) {
    const add = (message: string, evidence: unknown) =>
      violations.push({
        check: "rebuilt",
        message,
        evidence: { room: room.final.room, evidence },
      });
    compareMessages(room, add);
    compareMembers(room, add);
  }
  return violations;
};

type Add = (message: string, evidence: unknown) => void;

function compareMessages({ final, versions }: RoomIndex, add: Add): void {
  const built = new Map<number, Message>();
  for (const { event } of final.log) {
    if (!("message" in event)) continue;
    const { message } = event;
    const known = built.get(message.seq);
    if (known === undefined || message.updatedSeq > known.updatedSeq) {
      built.set(message.seq, message);
    }
  }
  for (const message of final.messages) {
    const mine = built.get(message.seq);
    built.delete(message.seq);
    if (mine === undefined || shown(mine) !== shown(message)) {
      add(`Message ${message.seq} differs from what the log makes of it`, { message, mine });
      continue;
    }
    const last = versions.get(message.seq)?.at(-1);
    if (last === undefined || last.seq !== message.updatedSeq) {
      add(`Message ${message.seq} is not as its last change left it`, { message, last });
    } else if (last.deleted !== (message.deletedAt !== undefined)) {
      add(`Message ${message.seq} is deleted in one place only`, { message, last });
    } else if (!last.deleted && last.text !== undefined && last.text !== message.text) {
      add(`Message ${message.seq} does not say what was asked for last`, { message, last });
    }
  }
  for (const message of built.values()) {
    add(`Message ${message.seq} is in the log and not among the messages`, { message });
  }
}

function shown(message: Message): string {
  const { room, seq, sender, at, text, editedAt, deletedAt, updatedSeq } = message;
  return JSON.stringify([room, seq, sender.id, at, text, editedAt, deletedAt, updatedSeq]);
}

function compareMembers({ final }: RoomIndex, add: Add): void {
  const built = new Map<PrincipalId, string>();
  for (const { event } of final.log) {
    if (event.type === "member.joined" || event.type === "member.role") {
      built.set(event.member.principal.id, event.member.role);
    } else if (event.type === "member.left" || event.type === "member.removed") {
      built.delete(event.principal.id);
    }
  }
  const listed = new Map(final.members.map(({ id, role }) => [id, role]));
  for (const id of new Set([...built.keys(), ...listed.keys()])) {
    if (built.get(id) === listed.get(id)) continue;
    add(`Member ${id} is ${listed.get(id)} in the list and ${built.get(id)} by the log`, { id });
  }
}
