import type { Principal } from "../auth/principal.ts";
import type { Bus } from "../bus/mod.ts";
import { ConfabError } from "../errors.ts";
import { type Presence, PRESENCE_BATCH } from "../presence/mod.ts";
import type { MemberPresence, PrincipalId, RoomId, RoomPresence } from "../protocol.ts";
import { type DeviceTraits, readTraits } from "../store/device_presence.ts";
import { readRoomMembers, type RoomMember } from "../store/presence.ts";
import type { ChatContext } from "./context.ts";
import { getRoom } from "./rooms.ts";

/** Where nodes tell each other whose presence has changed: the bus takes it for a room. */
const HINTS: RoomId = "presence";

/** What is known of devices besides whether they are there. */
export type Traits = ReadonlyMap<PrincipalId, DeviceTraits>;

/**
 * Who in a room is online, for members only: `not_found` for those who may not see the room,
 * `not_a_member` for others. It is `off` in rooms with more members than `maxMembers`.
 */
export async function roomPresence(
  context: ChatContext,
  viewer: Principal,
  room: RoomId,
  maxMembers: number,
): Promise<RoomPresence> {
  const seen = await getRoom(context, viewer, room);
  if (!("role" in seen)) throw new ConfabError("not_a_member");
  const found = await membersOf(context, [room], maxMembers);
  const members = found.get(room) ?? [];
  if (members === "off") return { state: "off", items: [] };
  const devices = members.filter(({ device }) => device).map(({ id }) => id);
  const [online, traits] = await Promise.all([
    whoIsOnline(context.presence, members.map(({ id }) => id)),
    traitsOf(context, devices),
  ]);
  if (online === undefined) return { state: "unknown", items: [] };
  const items = members.map(({ id }) => presenceOf(id, online.has(id), traits.get(id)));
  return { state: "known", items };
}

/** Whether somebody is there, and with `traits` what a device's members are shown besides. */
export function presenceOf(
  principal: PrincipalId,
  online: boolean,
  traits: DeviceTraits | undefined,
): MemberPresence {
  return {
    principal,
    state: online ? "online" : "offline",
    ...(traits?.unstable ? { unstable: true } : {}),
    ...(traits?.lastSeen ? { lastSeen: traits.lastSeen.toISOString() } : {}),
  };
}

/** What is known of these devices besides whether they are there. */
export async function traitsOf(
  { db }: Pick<ChatContext, "db">,
  devices: PrincipalId[],
): Promise<Traits> {
  return devices.length === 0 ? new Map() : await readTraits(db, devices);
}

/** The members of each room, or `off` for those with more than `maxMembers`. */
export async function membersOf(
  { db }: Pick<ChatContext, "db">,
  rooms: RoomId[],
  maxMembers: number,
): Promise<Map<RoomId, RoomMember[] | "off">> {
  const found = await readRoomMembers(db, rooms, maxMembers + 1);
  return new Map(
    [...found].map(([room, members]) => [room, members.length > maxMembers ? "off" : members]),
  );
}

/** Like `Presence.online`, for any number, at one command for 500. */
export async function whoIsOnline(
  presence: Presence,
  principals: PrincipalId[],
): Promise<Set<PrincipalId> | undefined> {
  const online = new Set<PrincipalId>();
  for (let at = 0; at < principals.length; at += PRESENCE_BATCH) {
    const found = await presence.online(principals.slice(at, at + PRESENCE_BATCH));
    if (found === undefined) return undefined;
    for (const principal of found) online.add(principal);
  }
  return online;
}

/** Tells every node, this one included, to look whether these came or went. May be lost. */
export function hintPresence(bus: Bus, principals: PrincipalId[]): void {
  for (let at = 0; at < principals.length; at += PRESENCE_BATCH) {
    const changes = principals.slice(at, at + PRESENCE_BATCH)
      .map((principal) => ({ principal, state: "online" as const }));
    bus.signal(HINTS, { type: "presence", state: "unknown", changes });
  }
}

/** Calls `heard` with what hintPresence() says, on whatever node; the result stops it. */
export function hearPresence(
  bus: Bus,
  heard: (principals: PrincipalId[]) => void,
): Promise<() => void> {
  return bus.serve(HINTS, {
    entries: () => {},
    head: () => {},
    signal: (signal) => {
      if (signal.type !== "presence") return;
      heard(signal.changes.map(({ principal }) => principal));
    },
  });
}
