import type { Principal } from "../lib/auth/principal.ts";
import type { CommandReply } from "../lib/chat/command_answers.ts";
import type { Presence } from "../lib/presence/mod.ts";
import type {
  DeviceState,
  LogEntry,
  MessageBody,
  Metadata,
  PrincipalId,
  RoomId,
  SendOk,
  Timestamp,
} from "../lib/protocol.ts";

/** What devices can do, as the bridge calls it. Every call ends within its own deadline. */
export interface BridgeActions {
  /** The device as who it acts; undefined when it is unknown or disabled. */
  device(id: PrincipalId): Promise<Principal | undefined>;
  /**
   * Stores messages in this order; resolves after the commits with what became of each. When one
   * failed in a way that may pass, none behind it was stored, unless it had been stored before.
   */
  send(
    device: Principal,
    room: RoomId,
    messages: { clientId: string; body: MessageBody }[],
  ): Promise<PromiseSettledResult<SendOk>[]>;
  /** The JSON Schema that the data of a device's messages must follow; null: none. */
  dataSchema(device: PrincipalId): Promise<Metadata | null>;
  /** Those of a device's clientIds that it has used in the room. */
  usedClientIds(device: PrincipalId, room: RoomId, clientIds: string[]): Promise<string[]>;
  /** The log after a cursor, as the device may see it. Throws ConfabError. */
  log(
    device: Principal,
    room: RoomId,
    cursor: { epoch?: string; after: number },
    limit: number,
  ): Promise<{ entries: LogEntry[]; head: number; epoch: string; hasMore: boolean }>;
  /**
   * Stores what became of a command of this device, once: a repeat is answered with the first.
   * Throws ConfabError.
   */
  answerCommand(device: Principal, reply: CommandReply): Promise<SendOk & { room: RoomId }>;
  /** Stores what a device says that it is; undefined: nothing any more. Throws ConfabError. */
  report(
    device: PrincipalId,
    room: RoomId,
    reported: Metadata | undefined,
  ): Promise<{ changed: boolean; deltaChanged: boolean }>;
  /** Tells those who look at the rooms how these stand now. */
  signalStates(keys: readonly StateKey[]): Promise<void>;
}

/** A device that is in a room, with its own membership or that of the person who speaks with it. */
export interface DeviceMember {
  id: PrincipalId;
  member: PrincipalId;
  /** What is older is not shown to it. */
  visibleFrom: number;
}

/** A device in a room. */
export interface StateKey {
  room: RoomId;
  device: PrincipalId;
}

/** A command that its device has not answered yet. */
export interface QueuedCommand {
  id: string;
  device: PrincipalId;
  room: RoomId;
  seq: number;
  name: string;
  args: Metadata;
  from: { id: PrincipalId; name: string };
  expiresAt: Timestamp;
}

/** The same, with its place among all commands. */
export interface OpenCommand extends QueuedCommand {
  /** Rises with every command. */
  number: number;
  /** When it was read, by the database's clock. */
  readAt: Date;
}

/** An entry of a room's log as it was at `readAt`, by the database's clock. */
export interface ReadEntry extends LogEntry {
  readAt: Date;
}

/** Who may work: `term` is larger than that of every earlier holder. */
export interface LeaseHold {
  name: string;
  holder: string;
  term: number;
}

/** A room that concerns devices. */
export interface BridgeRoom {
  room: RoomId;
  head: number;
  /** The stored cursor; undefined: never delivered. */
  cursor: number | undefined;
  /** The lowest seq at which a present device member joined; undefined without such members. */
  firstJoined: number | undefined;
}

/** Which credentials of a device are good, as far as the table knows. */
export interface DeviceCredential {
  id: PrincipalId;
  generation: number;
  /** The generation whose username is the plain id. */
  plainGeneration: number;
  /** The secret before, which is good for so much longer. */
  former?: { generation: number; endsInMs: number };
  /** Access has ended. */
  disabled: boolean;
  /** For good. */
  deleted?: boolean;
}

/** What the bridge reads and remembers. Every call ends within its own deadline. */
export interface BridgeStore {
  /** Takes a lease that is free or has run out, by the database's clock; answers its term. */
  takeLease(name: string, holder: string, ttlMs: number): Promise<number | undefined>;
  /** False when somebody else has taken the lease. */
  renewLease(lease: LeaseHold, ttlMs: number): Promise<boolean>;
  releaseLease(lease: LeaseHold): Promise<void>;
  /** Rooms with device members, and rooms with a cursor; `epoch` names the present history. */
  rooms(): Promise<{ epoch: string; rooms: BridgeRoom[] }>;
  /** Who of the members was a device when the log stood at `seq`. */
  devicesAt(room: RoomId, seq: number): Promise<DeviceMember[]>;
  /** The first `limit` entries after a seq, as they are now, with the clientId of every message. */
  entries(room: RoomId, after: number, limit: number): Promise<ReadEntry[]>;
  /** Stores cursors while the lease holds; false: it does not, and nothing was stored. */
  saveCursors(lease: LeaseHold, cursors: ReadonlyMap<RoomId, number>): Promise<boolean>;
  /** Forgets cursors of rooms without devices while the lease holds. */
  dropCursors(lease: LeaseHold, rooms: RoomId[]): Promise<void>;
  /** Those whose access has not ended. */
  devices(): Promise<DeviceCredential[]>;
  /** The first commands after a number that wait for these devices, or for any (null). */
  openCommands(
    devices: PrincipalId[] | null,
    after: number,
    limit: number,
  ): Promise<OpenCommand[]>;
  /** Those of these ids that are devices, disabled or not. */
  devicesOf(ids: PrincipalId[]): Promise<DeviceCredential[]>;
  /** The rooms that any of these devices is in. */
  roomsOf(devices: PrincipalId[]): Promise<RoomId[]>;
  /** Where something was wished for, in an order, after a key: of these devices, or of all (null). */
  desiredKeys(
    devices: PrincipalId[] | null,
    after: StateKey | null,
    limit: number,
  ): Promise<StateKey[]>;
  /** The states of those devices that are in the rooms. */
  states(keys: readonly StateKey[]): Promise<{ room: RoomId; state: DeviceState }[]>;
}

/** What became of what a device said of itself, and what is so now. */
export interface SaidStatus {
  outcome: "born" | "gone" | "same" | "ignored" | "unknown";
  online: boolean;
  /** Names the present stay of a device that is online. */
  stay: string | null;
  /** It keeps coming and going: unstable for so long, if it does not come again; 0: it is stable. */
  unstableMs: number;
  /** Who is there with it: the device, or the person who speaks with it. */
  member: PrincipalId;
}

/** A device that has said that it is there, or has been unstable since it came last. */
export interface OnlineDevice {
  device: PrincipalId;
  /** Null: it is not there. */
  stay: string | null;
  /** See SaidStatus. */
  unstableMs: number;
  /** It is unstable, or was when it came last. */
  wasUnstable: boolean;
  member: PrincipalId;
}

/** What the bridge keeps of whether devices are there. Every call ends within its own deadline. */
export interface DeviceStatuses {
  /** Where the others see it; undefined: presence is turned off. */
  readonly presence: Presence | undefined;
  /** Tells the others to look at these. */
  hint(devices: PrincipalId[]): void;
  /**
   * Takes a birth or a last will while the lease holds; said again it changes nothing. Undefined: the
   * lease does not hold. Throws ConfabError.
   */
  say(
    lease: LeaseHold,
    device: PrincipalId,
    said: { online: boolean; session?: number | string },
    heard: boolean,
  ): Promise<SaidStatus | undefined>;
  /** Devices that are online or have been unstable, in the order of their ids after `after`. */
  online(after: PrincipalId | null, limit: number): Promise<OnlineDevice[]>;
  /**
   * Stores when devices were heard while the lease holds; false: it does not. `listened`: from when
   * to when, both so long ago, everything was heard; all of it is stored with this call.
   */
  saveHeard(
    lease: LeaseHold,
    heard: {
      devices: { device: PrincipalId; agoMs: number }[];
      listened?: { fromMs: number; toMs: number };
    },
  ): Promise<boolean>;
}

/** Told of a room's log as it grows: at most once, in no promised order, perhaps not at all. */
export interface LogWatcher {
  /** Entries that were committed just now. */
  entries(entries: LogEntry[]): void;
  /** There may be entries up to `seq`. */
  head(seq: number): void;
}

/** Tells `watcher` of a room's log until the result is called. */
export type WatchRoom = (room: RoomId, watcher: LogWatcher) => Promise<() => void>;

/**
 * Keeps a broker's credentials equal to the devices table. Calls may be repeated, and may overlap:
 * the caller reads a device anew before each `apply`, so what is applied last is what is so.
 */
export interface Provisioner {
  /**
   * The ids that the broker holds wrongly, not yet or without need, when `devices` are all that
   * have access. Nothing is changed.
   */
  differing(devices: DeviceCredential[]): Promise<PrincipalId[]>;
  /** Creates, repairs or removes these; sessions of credentials that are not good any more end. */
  apply(devices: DeviceCredential[]): Promise<void>;
}

/** Where messages to devices go. */
export interface Publisher {
  /**
   * Publishes with QoS 1; resolves when the broker has it. Rejects with ConfabError `unavailable`
   * when the connection is down, breaks, or does not answer in time, and with `forbidden` when
   * the broker refuses this message.
   */
  publish(topic: string, payload: string, options?: PublishOptions): Promise<void>;
}

/** How something is published; all but `retain` reaches only those who speak MQTT 5. */
export interface PublishOptions {
  retain?: boolean;
  correlationData?: Uint8Array;
  /** Where an answer is wanted. */
  responseTopic?: string;
  /** The broker keeps it so long for somebody who is away. */
  messageExpirySeconds?: number;
}
