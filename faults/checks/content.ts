import type { ConnectionRecord, DeliveryRecord, History, WriteRecord } from "../history.ts";
import type { LogEntry, LogEvent, Message } from "../../lib/protocol.ts";
import type { Check, Violation } from "../violation.ts";
import { about } from "./order.ts";
import type { RoomIndex, Version } from "./room_index.ts";

/**
 * P4: what a reader is given is the entry of the log. Who, when and what it is about are equal.
 * A message may be newer than its entry: `updatedSeq` says which entry last changed it, is not
 * below the entry's seq, and the text is the one of that version. A text whose deletion was
 * acknowledged before the connection began is not given any more (what a broker has queued is
 * exempt), and a clientId goes to its sender only.
 */
export const content: Check = (history, rooms) => {
  const violations: Violation[] = [];
  const deleted = deletions(history);
  for (const connection of history.deliveries) {
    const room = rooms.get(connection.room);
    for (const delivery of connection.entries) {
      const message = room === undefined
        ? "An entry of a room that does not exist was delivered"
        : differs(delivery.entry, room) ?? wrongMessage(connection, delivery, room, deleted);
      if (message === undefined) continue;
      const logged = room?.bySeq.get(delivery.entry.seq);
      const evidence = { connection: about(connection), delivery, logged };
      violations.push({ check: "content", message, evidence });
    }
  }
  return violations;
};

/** When each deletion was first acknowledged, by room and target. */
function deletions({ writes }: History): Map<string, number> {
  const first = new Map<string, number>();
  for (const { room, what, acks } of writes as readonly WriteRecord[]) {
    if (what.type !== "delete") continue;
    for (const { at } of acks) {
      const key = `${room} ${what.target}`;
      first.set(key, Math.min(first.get(key) ?? Infinity, at));
    }
  }
  return first;
}

function differs(given: LogEntry, room: RoomIndex): string | undefined {
  const logged = room.bySeq.get(given.seq);
  if (logged === undefined) return `Entry ${given.seq} was delivered and is not in the log`;
  if (identity(given) === identity(logged)) return;
  return `Entry ${given.seq} was delivered differently from what the log holds`;
}

/** What of an entry never changes, as a text. */
function identity({ room, epoch, seq, event }: LogEntry): string {
  return [room, epoch, seq, event.type, event.actor.id, event.at, subject(event)].join(" ");
}

function subject(event: LogEvent): string {
  if ("message" in event) {
    const { room, seq, sender, at } = event.message;
    return `${room} ${seq} ${sender.id} ${at} ${"target" in event ? event.target : ""}`;
  }
  if ("member" in event) {
    const { principal, role, joinedSeq } = event.member;
    return `${principal.id} ${role} ${joinedSeq}`;
  }
  if ("principal" in event) return event.principal.id;
  if (event.type === "room.updated") return JSON.stringify(event.settings);
  return JSON.stringify([
    event.device.id,
    event.type === "device.state" ? event.state : event.alert,
  ]);
}

function wrongMessage(
  connection: ConnectionRecord,
  { entry }: DeliveryRecord,
  room: RoomIndex,
  deleted: ReadonlyMap<string, number>,
): string | undefined {
  if (!("message" in entry.event)) return;
  const { message } = entry.event;
  if (message.clientId !== undefined && message.sender.id !== connection.reader) {
    return `The clientId of message ${message.seq} was given to somebody else`;
  }
  if (message.updatedSeq < entry.seq) {
    return `Entry ${entry.seq} was delivered as if it had not happened`;
  }
  const version = room.versions.get(message.seq)?.find(({ seq }) => seq === message.updatedSeq);
  if (version === undefined) return `No entry made message ${message.seq} what was delivered`;
  if (!shows(message, version)) return `Message ${message.seq} was delivered with a wrong text`;
  // A broker may hand over what it holds for a device much later, answers to its requests too.
  if (connection.via === "mqtt") return;
  const gone = deleted.get(`${entry.room} ${message.seq}`) ?? Infinity;
  if (message.deletedAt === undefined && gone < connection.openedAt) {
    return `The text of message ${message.seq} was delivered after its deletion`;
  }
}

function shows(message: Message, { deleted, text }: Version): boolean {
  if (deleted) return message.deletedAt !== undefined && message.text === undefined;
  return message.deletedAt === undefined && (text === undefined || message.text === text);
}
