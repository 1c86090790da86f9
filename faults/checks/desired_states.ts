import type { LogEntry, Metadata, PrincipalId } from "../../lib/protocol.ts";
import type { History, WriteRecord } from "../history.ts";
import type { DesiredGivenRecord, StateLookRecord } from "../history_devices.ts";
import { isSame } from "../json_same.ts";
import type { Check, Violation } from "../violation.ts";
import { type RoomIndex, wishKey } from "./room_index.ts";
import { leftToDo } from "./states_kept.ts";

/**
 * A desired state is what those who wished made of it, in the order of the log: a whole one replaces
 * it, a part changes the one before, and one for a version that somebody saw follows that version.
 * What was acknowledged is among them, what was refused as overtaken was, and nobody, neither a
 * reader nor the device, is shown another state, or an older one after a newer one.
 */
export const desiredStates: Check = (history, rooms) => {
  const violations: Violation[] = [];
  const add = (message: string, evidence: unknown) =>
    violations.push({ check: "desired states", message, evidence });
  const chains = new Map([...rooms].map(([id, room]) => [id, chainsOf(room, add)]));
  const chainOf = (room: string, device: PrincipalId) => chains.get(room)?.get(device) ?? [];
  for (const write of history.writes) {
    if (write.what.type !== "desire") continue;
    const room = rooms.get(write.room);
    const message = wrongWish(write, write.what, room, chainOf(write.room, write.what.device));
    if (message !== undefined) add(message, write);
  }
  for (const look of history.devices.looks) {
    const message = wrongLook(look, chainOf(look.room, look.state.device.id));
    if (message !== undefined) add(message, look);
  }
  judgeGiven(history, chainOf, add);
  judgeOverlooked(history, rooms, add);
  for (const { final } of rooms.values()) {
    for (const { device, desired, desiredVersion } of final.states) {
      const last = chainOf(final.room, device.id).findLast(({ seq }) => seq === desiredVersion);
      if (desiredVersion > 0 ? isSame(last?.desired, desired) : desired === undefined) continue;
      add("The desired state at the end is not the one of the log", { device, desired, last });
    }
  }
  return violations;
};

type Add = (message: string, evidence: unknown) => void;

/** One wish as the log has it, with what was before. */
interface Link {
  seq: number;
  desired: Metadata;
  /** 0: nothing was wished for in this membership. */
  before: number;
}

/** The wishes of a room by device, in the order of the log, each judged by the one before. */
function chainsOf({ final, wishOf }: RoomIndex, add: Add): Map<PrincipalId, Link[]> {
  const chains = new Map<PrincipalId, Link[]>();
  const present = new Map<PrincipalId, Link>();
  for (const entry of final.log) {
    const { event, seq } = entry;
    // A state ends with the membership
    if (event.type === "member.left" || event.type === "member.removed") {
      present.delete(event.principal.id);
    }
    if (event.type !== "device.state") continue;
    const { device: { id }, state: { desired, version } } = event;
    const former = present.get(id);
    const link = { seq, desired, before: former?.seq ?? 0 };
    const message = version !== seq
      ? `The desired state at seq ${seq} has the version ${version}`
      : wrongLink(link, wishOf.get(seq), former, entry);
    if (message !== undefined) add(message, { entry, former, wish: wishOf.get(seq) });
    present.set(id, link);
    const chain = chains.get(id);
    if (chain === undefined) chains.set(id, [link]);
    else chain.push(link);
  }
  return chains;
}

function wrongLink(
  { seq, desired, before }: Link,
  wish: WriteRecord | undefined,
  former: Link | undefined,
  { event }: LogEntry,
): string | undefined {
  if (wish?.what.type !== "desire") return `Nobody wished for the state at seq ${seq}`;
  const { merge, version, desired: asked, device } = wish.what;
  if (event.type !== "device.state" || event.device.id !== device) {
    return `The wish at seq ${seq} was for another device`;
  }
  if (version !== undefined && version !== before) {
    return `A wish for version ${version} was taken after version ${before}`;
  }
  const due = merge ? changed(former?.desired ?? {}, asked) : asked;
  if (!isSame(desired, due)) return `The desired state at seq ${seq} is not what was wished for`;
}

/** The wishes of a run have objects only whole, or with all of their members. */
function changed(former: Metadata, patch: Metadata): Metadata {
  const result: Metadata = { ...former };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else if (name === "limits") {
      result[name] = { ...former.limits as Metadata, ...value as Metadata };
    } else result[name] = value;
  }
  return result;
}

function wrongWish(
  { acks, refusal, actor }: WriteRecord,
  { clientId, version }: Extract<WriteRecord["what"], { type: "desire" }>,
  room: RoomIndex | undefined,
  chain: readonly Link[],
): string | undefined {
  const seq = room?.seqOf.get(wishKey(actor, clientId));
  if (acks.length > 0) {
    if (seq === undefined) return "An acknowledged wish is not in the log";
    const low = acks.find((ack) => ack.seq > 0 && ack.seq < seq);
    if (low) return `A wish at seq ${seq} was acknowledged with version ${low.seq}`;
  }
  if (refusal?.code === "version_conflict") {
    const overtaken = chain.some((link) => link.before === version || link.seq > version!);
    if (version === undefined) return "A wish without a version was refused as overtaken";
    if (!overtaken) return `A wish for version ${version} was refused, and nobody was first`;
    if (seq !== undefined) return `A wish was refused as overtaken, and is stored at seq ${seq}`;
  }
}

function wrongLook({ state }: StateLookRecord, chain: readonly Link[]): string | undefined {
  const { desired, desiredVersion, reported, delta } = state;
  const link = chain.find(({ seq }) => seq === desiredVersion);
  if (desiredVersion > 0 ? !isSame(link?.desired, desired) : desired !== undefined) {
    return `The state of version ${desiredVersion} was read otherwise than the log has it`;
  }
  if (!isSame(delta, leftToDo(desired ?? {}, reported ?? {}))) {
    return "What was read to be left to do is not the difference";
  }
}

/** What came on `desired`: as the log has it, and over one connection nothing older after newer. */
function judgeGiven(
  { devices }: History,
  chainOf: (room: string, device: PrincipalId) => readonly Link[],
  add: Add,
): void {
  const last = new Map<string, DesiredGivenRecord>();
  for (const record of devices.desired) {
    const { device, room, connection, given } = record;
    if (given === undefined) continue;
    const link = chainOf(room, device).find(({ seq }) => seq === given.version);
    if (!isSame(link?.desired, given.desired)) {
      add(`A device was given another desired state than that of seq ${given.version}`, record);
    }
    const key = `${device} ${room} ${connection}`;
    const former = last.get(key);
    if (former !== undefined && former.given!.version > given.version) {
      add(`A device was given version ${given.version} after a newer one`, { record, former });
    }
    last.set(key, record);
  }
}

/** Whoever reads after an acknowledgement sees that wish, or a later one. */
function judgeOverlooked({ writes, devices }: History, rooms: Rooms, add: Add): void {
  const acked = writes.flatMap(({ what, acks, room, actor }) => {
    if (what.type !== "desire" || acks.length === 0) return [];
    const seq = rooms.get(room)?.seqOf.get(wishKey(actor, what.clientId));
    return seq === undefined ? [] : [{ key: `${room} ${what.device}`, at: acks[0]!.at, seq }];
  }).sort((a, b) => a.at - b.at);
  const looks = devices.looks.toSorted((a, b) => a.askedAt - b.askedAt);
  const highest = new Map<string, number>();
  let next = 0;
  for (const look of looks) {
    for (; next < acked.length && acked[next]!.at < look.askedAt; next++) {
      const { key, seq } = acked[next]!;
      highest.set(key, Math.max(highest.get(key) ?? 0, seq));
    }
    const { room, state: { device, desiredVersion } } = look;
    const least = highest.get(`${room} ${device.id}`) ?? 0;
    // Of a device that was taken in again, the state begins anew.
    if (desiredVersion >= least || begunAnew(rooms.get(room), device.id, least)) continue;
    add(`Version ${desiredVersion} was read after version ${least} was acknowledged`, look);
  }
}

type Rooms = ReadonlyMap<string, RoomIndex>;

function begunAnew(room: RoomIndex | undefined, device: PrincipalId, seq: number): boolean {
  return (room?.memberships.get(device) ?? []).some(({ to }) => to > seq && to < Infinity);
}
