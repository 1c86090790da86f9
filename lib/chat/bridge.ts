import type { Principal } from "../auth/principal.ts";
import type { MessageBody, PrincipalId, RoomId, SendOk } from "../protocol.ts";
import * as cursors from "../store/bridge.ts";
import * as leases from "../store/bridge_lease.ts";
import { roomsOfAny } from "../store/devices.ts";
import type { ChatContext } from "./context.ts";
import { liveDevice } from "./devices.ts";
import { readLog } from "./messages.ts";
import { publicError } from "./outcome.ts";

/** What devices do over MQTT. The bridge counts their sends itself, once however often it tries. */
export function deviceActions(context: ChatContext) {
  return {
    device: (id: PrincipalId) => reading(async () => (await liveDevice(context, id))?.principal),
    send: (
      sender: Principal,
      room: RoomId,
      messages: { clientId: string; body: MessageBody }[],
    ): Promise<PromiseSettledResult<SendOk>[]> =>
      context.appender.appendInOrder(messages.map((message) => ({ room, sender, ...message }))),
    log: (
      viewer: Principal,
      room: RoomId,
      cursor: { epoch?: string; after: number },
      limit: number,
    ) => reading(() => readLog(context, viewer, room, cursor, limit)),
  };
}

/** A database that is away is `unavailable`, which passes: a device's message then waits for it. */
function reading<T>(read: () => Promise<T>): Promise<T> {
  return read().catch((error) => {
    throw publicError(error, true);
  });
}

/** What the bridge keeps and reads of rooms, devices and its own lease. */
export function bridgeStore({ db }: Pick<ChatContext, "db">) {
  return {
    takeLease: (name: string, holder: string, ttlMs: number) =>
      leases.takeLease(db, name, holder, ttlMs),
    renewLease: (lease: leases.LeaseKey, ttlMs: number) => leases.renewLease(db, lease, ttlMs),
    releaseLease: (lease: leases.LeaseKey) => leases.releaseLease(db, lease),
    rooms: () => cursors.readBridgeRooms(db),
    devicesAt: (room: RoomId, seq: number) => cursors.readDevicesAt(db, room, seq),
    entries: (room: RoomId, after: number, limit: number) =>
      cursors.readEntriesAfter(db, room, after, limit),
    saveCursors: (lease: leases.LeaseKey, moved: ReadonlyMap<RoomId, number>) =>
      cursors.saveCursors(db, lease, moved),
    dropCursors: (lease: leases.LeaseKey, rooms: RoomId[]) => cursors.dropCursors(db, lease, rooms),
    devices: () => cursors.readCredentials(db),
    devicesOf: (ids: PrincipalId[]) => cursors.readCredentialsOf(db, ids),
    roomsOf: (devices: PrincipalId[]) => roomsOfAny(db, devices),
  };
}
