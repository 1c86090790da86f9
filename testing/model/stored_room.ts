import type {
  LogEntry,
  LogEvent,
  Message,
  PublicPrincipal,
  RoomId,
  RoomRole,
} from "../../lib/protocol.ts";

/** What is written to a room's log; people are numbers, 0 is the owner. */
export type Change =
  | { kind: "send" | "leave" | "remove" | "privacy"; who: number }
  | { kind: "edit" | "delete"; who: number; target: number }
  | { kind: "add" | "role"; who: number; role: RoomRole };

interface Row {
  change: Change;
  stamp: string;
  type: LogEvent["type"];
  /** The seq of the message that the entry is about. */
  message: number;
  fixed: LogEvent | undefined;
}

/** Everybody of the model. */
export const PEOPLE: readonly (PublicPrincipal & { role: "user" })[] = [0, 1, 2, 3].map((n) => ({
  id: `p${n}`,
  kind: "user",
  role: "user",
  name: `Person ${n}`,
}));
const EVERYBODY = (1 << PEOPLE.length) - 1;
const SETTINGS = { name: "Room", topic: "", metadata: {} };

/** A room of the store: its log, and what follows from it. */
export class StoredRoom {
  readonly rows: Row[] = [];
  readonly access: number[] = [0];
  readonly members = new Map<number, RoomRole>();
  readonly messages = new Map<number, Message>();
  isPublic = false;

  constructor(readonly id: RoomId) {}

  get head(): number {
    return this.rows.length;
  }

  sees(who: number): boolean {
    return (this.access[this.head]! & (1 << who)) !== 0;
  }

  /** Does what the SQL does, as far as the order of entries depends on it; false when refused. */
  apply(change: Change, stamp: string): boolean {
    const row = this.#row(change, stamp);
    if (row === undefined) return false;
    this.rows.push(row);
    let bits = this.isPublic ? EVERYBODY : 0;
    for (const who of this.members.keys()) bits |= 1 << who;
    this.access.push(bits);
    return true;
  }

  #row(change: Change, stamp: string): Row | undefined {
    const seq = this.head + 1;
    const person = PEOPLE[change.who]!;
    const base = { actor: person, at: stamp };
    switch (change.kind) {
      case "send": {
        const role = this.members.get(change.who);
        if (role === undefined || role === "reader") return undefined;
        this.messages.set(seq, {
          room: this.id,
          seq,
          sender: person,
          at: stamp,
          text: stamp,
          attachments: [],
          updatedSeq: seq,
        });
        return { change, stamp, type: "message.created", message: seq, fixed: undefined };
      }
      case "edit":
      case "delete":
        return this.#change(change, stamp, seq);
      case "add":
      case "role": {
        if (this.members.has(change.who) !== (change.kind === "role")) return undefined;
        this.members.set(change.who, change.role);
        const type = change.kind === "add" ? "member.joined" : "member.role";
        const member = { principal: person, role: change.role, joinedSeq: seq };
        return { change, stamp, type, message: 0, fixed: { ...base, type, member } };
      }
      case "leave":
      case "remove": {
        if (!this.members.delete(change.who)) return undefined;
        const type = change.kind === "leave" ? "member.left" : "member.removed";
        return { change, stamp, type, message: 0, fixed: { ...base, type, principal: person } };
      }
      case "privacy": {
        this.isPublic = !this.isPublic;
        const visibility = this.isPublic ? "public" : "private";
        const fixed = { ...base, type: "room.updated", settings: { ...SETTINGS, visibility } };
        return { change, stamp, type: "room.updated", message: 0, fixed: fixed as LogEvent };
      }
    }
  }

  #change(change: Change & { target: number }, stamp: string, seq: number): Row | undefined {
    const { target, kind, who } = change;
    const message = this.messages.get(target);
    if (message === undefined || message.deletedAt !== undefined) return undefined;
    if (!this.members.has(who)) return undefined;
    const { text: _, ...rest } = message;
    const [type, changed] = kind === "edit"
      ? ["message.edited", { text: stamp, editedAt: stamp }] as const
      : ["message.deleted", { deletedAt: stamp }] as const;
    this.messages.set(target, { ...rest, ...changed, updatedSeq: seq });
    return { change, stamp, type, message: target, fixed: undefined };
  }

  /** Entry `seq` with the content its message has now. */
  render(seq: number, epoch: string): LogEntry {
    const { fixed, type, stamp, message, change } = this.rows[seq - 1]!;
    if (fixed !== undefined) return { room: this.id, epoch, seq, event: fixed };
    const event = {
      actor: PEOPLE[change.who]!,
      at: stamp,
      type,
      target: message,
      message: this.messages.get(message)!,
    } as LogEvent;
    return { room: this.id, epoch, seq, event };
  }
}
