import type { Principal } from "../auth/principal.ts";
import { ConfabError } from "../errors.ts";
import type { Member, PrincipalId, RoomId } from "../protocol.ts";
import { deleteMember, putMember } from "../store/changes.ts";
import { listDevices, roomsOf } from "../store/devices.ts";
import { listMembers } from "../store/rooms.ts";
import { announceChange } from "./announce.ts";
import type { ChatContext } from "./context.ts";
import { deleteDevice } from "./devices.ts";
import { refuseUnlessDone } from "./outcome.ts";

const BATCH = 200;
const BY_POWER = ["owner", "admin", "member", "reader"];
const BY_NATURE = ["user", "guest", "device"];

/**
 * Takes a principal out of everything before its account is deleted: its devices end, it leaves
 * its rooms. Direct rooms stay as they are. A room of which it is the last owner goes to the most
 * powerful member, the longest there among equals. What fails half-way is completed by a repeat.
 */
export async function leaveEverything(context: ChatContext, principal: Principal): Promise<void> {
  let devices;
  do {
    devices = await listDevices(context.db, principal.id, null, BATCH);
    for (const { id } of devices) {
      await deleteDevice(context, principal, id).catch((error) => {
        // Another request has deleted it meanwhile.
        if (!(error instanceof ConfabError) || error.code !== "not_found") throw error;
      });
    }
  } while (devices.length > 0);
  for (const room of await roomsOf(context.db, principal.id)) {
    await leaveForGood(context, room, principal.id);
  }
}

async function leaveForGood(context: ChatContext, room: RoomId, who: PrincipalId): Promise<void> {
  let left = await deleteMember(context.db, room, who, who);
  if (left.outcome === "last_owner") {
    const heir = await heirOf(context, room, who);
    if (heir !== undefined) {
      const { outcome, seq } = await putMember(context.db, room, who, heir, "owner");
      if (outcome === "ok") await announceChange(context, room, seq!);
    }
    left = await deleteMember(context.db, room, who, who);
  }
  if (left.outcome === "ok") await announceChange(context, room, left.seq!);
  else if (left.outcome !== "direct_room" && left.outcome !== "not_found") {
    refuseUnlessDone(left.outcome);
  }
}

async function heirOf(
  context: ChatContext,
  room: RoomId,
  owner: PrincipalId,
): Promise<PrincipalId | undefined> {
  let best: Member | undefined;
  for (let after: PrincipalId | null = null;;) {
    const members: Member[] = await listMembers(context.db, room, after, BATCH);
    for (const member of members) {
      if (member.principal.id === owner) continue;
      if (best === undefined || precedes(member, best)) best = member;
    }
    if (members.length < BATCH) return best?.principal.id;
    after = members.at(-1)!.principal.id;
  }
}

function precedes(a: Member, b: Member): boolean {
  const nature = (m: Member) => BY_NATURE.indexOf(m.principal.kind);
  const power = (m: Member) => BY_POWER.indexOf(m.role);
  return (nature(a) - nature(b) || power(a) - power(b) || a.joinedSeq - b.joinedSeq) < 0;
}
