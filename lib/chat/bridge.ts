import type { Principal } from "../auth/principal.ts";
import type { MessageBody, Metadata, PrincipalId, RoomId, SendOk } from "../protocol.ts";
import * as cursors from "../store/bridge.ts";
import * as leases from "../store/bridge_lease.ts";
import { readSchemaOf, readUsedClientIds } from "../store/data_schemas.ts";
import { readOpenCommands } from "../store/command_lists.ts";
import * as states from "../store/device_states.ts";
import { roomsOfAny } from "../store/devices.ts";
import { answerCommand, type CommandReply } from "./command_answers.ts";
import type { ChatContext } from "./context.ts";
import { reportState, signalStates, type StateKey } from "./device_states.ts";
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
    dataSchema: (device: PrincipalId) => reading(() => readSchemaOf(context.db, device)),
    usedClientIds: (sender: PrincipalId, room: RoomId, clientIds: string[]) =>
      reading(() => readUsedClientIds(context.db, room, sender, clientIds)),
    answerCommand: (device: Principal, reply: CommandReply) =>
      writing(() => answerCommand(context, device, reply)),
    report: (device: PrincipalId, room: RoomId, reported: Metadata | undefined) =>
      writing(() => reportState(context, device, room, reported)),
    signalStates: (keys: readonly StateKey[]) => reading(() => signalStates(context, keys)),
  };
}

/** A database that is away is `unavailable`, which passes: a device's message then waits for it. */
function reading<T>(read: () => Promise<T>): Promise<T> {
  return read().catch((error) => {
    throw publicError(error, true);
  });
}

/** A lost answer is `outcome_unknown`: the same once more does no harm. */
function writing<T>(write: () => Promise<T>): Promise<T> {
  return write().catch((error) => {
    throw publicError(error);
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
    openCommands: (devices: PrincipalId[] | null, after: number, limit: number) =>
      readOpenCommands(db, devices, after, limit),
    devicesOf: (ids: PrincipalId[]) => cursors.readCredentialsOf(db, ids),
    roomsOf: (devices: PrincipalId[]) => roomsOfAny(db, devices),
    desiredKeys: (devices: PrincipalId[] | null, after: StateKey | null, limit: number) =>
      states.readDesiredKeys(db, devices, after, limit),
    states: (keys: readonly StateKey[]) => states.readStates(db, keys),
  };
}
