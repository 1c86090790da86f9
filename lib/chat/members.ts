import type { Principal } from "../auth/principal.ts";
import { ConfabError } from "../errors.ts";
import type { JoinedRoom, Member, PrincipalId, RoomId, RoomRole } from "../protocol.ts";
import { type ChangeOutcome, deleteMember, putMember } from "../store/changes.ts";
import { devicesIn } from "../store/devices.ts";
import { readEntries } from "../store/log.ts";
import { listMembers as storedMembers, readMember } from "../store/rooms.ts";
import { announceChange } from "./announce.ts";
import type { ChatContext } from "./context.ts";
import { decodeCursor, type List, listOf } from "../lists.ts";
import { afterCommit, refuseUnlessDone } from "./outcome.ts";
import { changedRoom, getRoom } from "./rooms.ts";

async function settle(
  context: ChatContext,
  room: RoomId,
  change: Promise<ChangeOutcome>,
): Promise<ChangeOutcome> {
  const done = await change;
  refuseUnlessDone(done.outcome);
  if (done.outcome === "ok") await announceChange(context, room, done.seq!, done.first);
  return done;
}

/** Joins a public room; joining again changes nothing. */
export async function joinRoom(
  context: ChatContext,
  principal: Principal,
  room: RoomId,
): Promise<JoinedRoom> {
  await settle(context, room, putMember(context.db, room, principal.id, principal.id, null));
  return await changedRoom(context, principal, room);
}

/** Leaves a room. Throws `last_owner` while others are in it, `direct_room` for direct rooms. */
export async function leaveRoom(
  context: ChatContext,
  principal: Principal,
  room: RoomId,
): Promise<void> {
  await settle(context, room, deleteMember(context.db, room, principal.id, principal.id));
}

/** Adds a member or changes a role; for owners and admins. A device is added by its owner. */
export async function setMember(
  context: ChatContext,
  actor: Principal,
  room: RoomId,
  subject: PrincipalId,
  role: RoomRole | undefined,
): Promise<{ member: Member; created: boolean }> {
  const put = putMember(context.db, room, actor.id, subject, role ?? null);
  const done = await settle(context, room, put);
  const member = await afterCommit(memberOf(context, room, subject, done, role));
  const created = done.outcome === "ok" && member.joinedSeq === done.seq;
  if (created && member.principal.kind === "device") context.bus.revoke({ device: subject });
  return { member, created };
}

/**
 * The member that put_member() left, as its entry says: what is done is answered as done, also when
 * the member has been removed since.
 */
async function memberOf(
  { db }: ChatContext,
  room: RoomId,
  subject: PrincipalId,
  { outcome, seq }: ChangeOutcome,
  role: RoomRole | undefined,
): Promise<Member> {
  const present = outcome === "duplicate" ? await readMember(db, room, subject) : undefined;
  if (present !== undefined) return present;
  const [entry] = await readEntries(db, room, seq!, seq!);
  if (entry === undefined || !("member" in entry.event)) throw new ConfabError("not_found");
  const { member } = entry.event;
  return { ...member, role: role ?? member.role };
}

/**
 * Removes a member; for owners and admins, and for owners of a device. Whoever is removed by
 * somebody else loses their devices in the room, too: they would go on hearing through them. What
 * fails half-way is completed by a repeat.
 */
export async function removeMember(
  context: ChatContext,
  actor: Principal,
  room: RoomId,
  subject: PrincipalId,
): Promise<void> {
  await settle(context, room, deleteMember(context.db, room, actor.id, subject));
  if (actor.id !== subject) await afterCommit(removeDevices(context, actor, room, subject));
}

async function removeDevices(
  context: ChatContext,
  actor: Principal,
  room: RoomId,
  owner: PrincipalId,
): Promise<void> {
  for (const device of await devicesIn(context.db, room, owner)) {
    await settle(context, room, deleteMember(context.db, room, actor.id, device));
  }
}

/** The members of a room that the viewer may see. */
export async function listMembers(
  context: ChatContext,
  viewer: Principal,
  room: RoomId,
  page: { cursor?: string; limit: number },
): Promise<List<Member>> {
  await getRoom(context, viewer, room);
  const after = page.cursor === undefined ? null : decodeCursor(page.cursor, 1)[0]!;
  const members = await storedMembers(context.db, room, after, page.limit + 1);
  return listOf(members, page.limit, (member) => [member.principal.id]);
}
