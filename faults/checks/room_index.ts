import type { FinalRoom, History, WriteRecord } from "../history.ts";
import type { LogEntry, PrincipalId, RoomId } from "../../lib/protocol.ts";

/** What a message said from one entry of the log on; `text` is undefined when nobody knows it. */
export interface Version {
  seq: number;
  deleted: boolean;
  text: string | undefined;
}

/** A room's log with what the checks look up in it. */
export interface RoomIndex {
  final: FinalRoom;
  /** The entries by seq. */
  bySeq: ReadonlyMap<number, LogEntry>;
  /** The wish that each entry came from, as far as a client id tells. */
  wishOf: ReadonlyMap<number, WriteRecord>;
  /** Where a wish stands in the log, by `wishKey()`. */
  seqOf: ReadonlyMap<string, number>;
  /** What each message said, oldest first, by the seq of the message. */
  versions: ReadonlyMap<number, readonly Version[]>;
  /** From the joining to the going of each principal, both included; open ends are infinite. */
  memberships: ReadonlyMap<PrincipalId, readonly { from: number; to: number }[]>;
}

/** Names a wish in a room. */
export function wishKey(actor: PrincipalId, clientId: string): string {
  return `${actor} ${clientId}`;
}

/** Prepares every room of a run for the checks. */
export function indexRooms(history: History): Map<RoomId, RoomIndex> {
  const wishes = new Map<RoomId, Map<string, WriteRecord>>();
  for (const write of history.writes) {
    if (!("clientId" in write.what)) continue;
    let own = wishes.get(write.room);
    if (own === undefined) wishes.set(write.room, own = new Map());
    own.set(wishKey(write.actor, write.what.clientId), write);
  }
  return new Map(
    history.final.map((final) => [final.room, indexRoom(final, wishes.get(final.room))]),
  );
}

function indexRoom(final: FinalRoom, wishes: ReadonlyMap<string, WriteRecord> = new Map()) {
  const bySeq = new Map(final.log.map((entry) => [entry.seq, entry]));
  const wishOf = new Map<number, WriteRecord>();
  const seqOf = new Map<string, number>();
  for (const { sender, clientId, seq } of final.stored) {
    const key = wishKey(sender, clientId);
    if (!seqOf.has(key)) seqOf.set(key, seq);
    const wish = wishes.get(key);
    if (wish !== undefined) wishOf.set(seq, wish);
  }
  return {
    final,
    bySeq,
    wishOf,
    seqOf,
    versions: versionsOf(final, wishOf),
    memberships: membershipsOf(final),
  } satisfies RoomIndex;
}

function versionsOf({ log }: FinalRoom, wishOf: ReadonlyMap<number, WriteRecord>) {
  const versions = new Map<number, Version[]>();
  for (const { seq, event } of log) {
    if (!("message" in event)) continue;
    const what = wishOf.get(seq)?.what;
    const text = what !== undefined && "text" in what ? what.text : undefined;
    const version = { seq, deleted: event.type === "message.deleted", text };
    if (event.type === "message.created") versions.set(seq, [version]);
    else versions.get(event.target)?.push(version);
  }
  return versions;
}

function membershipsOf({ log }: FinalRoom) {
  const memberships = new Map<PrincipalId, { from: number; to: number }[]>();
  for (const { seq, event } of log) {
    if (event.type === "member.joined") {
      const { id } = event.member.principal;
      const own = memberships.get(id) ?? [];
      own.push({ from: seq, to: Infinity });
      memberships.set(id, own);
    } else if (event.type === "member.left" || event.type === "member.removed") {
      const last = memberships.get(event.principal.id)?.at(-1);
      if (last?.to === Infinity) last.to = seq;
    }
  }
  return memberships;
}
