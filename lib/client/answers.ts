import type {
  CommandStatus,
  DeviceState,
  GlobalRole,
  JoinedRoom,
  LogEntry,
  Member,
  Message,
  Metadata,
  PrincipalKind,
  PublicPrincipal,
  Room,
  Timestamp,
} from "../protocol.ts";

/** The signed-in principal. */
export interface User {
  id: string;
  kind: PrincipalKind;
  name: string;
  username?: string;
  role: GlobalRole;
  createdAt: Timestamp;
  metadata: Metadata;
}

/** The answer of register, login, guest and refresh; `expiresIn` in seconds. */
export interface SessionAnswer {
  user: User;
  accessToken: string;
  refreshToken: string;
  expiresIn: number;
}

/** One page of a list; `next` continues it. */
export interface Page<Item> {
  items: Item[];
  next: string | null;
}

/** Someone found by name. */
export interface FoundUser extends PublicPrincipal {
  username?: string;
}

/** A room, with one's own state when one is a member. */
export type RoomAnswer = Room | JoinedRoom;

/** Messages in ascending order, as of `head`. */
export interface MessagePage {
  messages: Message[];
  head: number;
  epoch: string;
  hasMore: boolean;
}

/** Log entries in ascending order, as of `head`. */
export interface LogPage {
  entries: LogEntry[];
  head: number;
  epoch: string;
  hasMore: boolean;
}

/** A stored message, or the stored result of an earlier identical request. */
export interface MessageAnswer {
  message: Message;
  duplicate: boolean;
}

/** A device of one's own, or (`person`) credentials with which one speaks MQTT oneself. */
export interface Device {
  id: string;
  name: string;
  kind: "device" | "person";
  createdAt: Timestamp;
  /** It has no access until it is enabled again. */
  disabledAt?: Timestamp;
  /** The secret before the last rotation is good until then. */
  formerSecretUntil?: Timestamp;
}

/** A device to be made; `person`: with its credentials one speaks MQTT oneself. */
export interface NewDevice {
  name: string;
  kind?: "device" | "person";
}

/** What a device without credentials shows, and with what it waits for them. */
export interface DeviceClaim {
  deviceCode: string;
  /** Such as `WDJB-MJHT`. */
  userCode: string;
  /** Where a person enters the code. */
  verificationUri: string;
  /** The same with the code in it, for a QR code. */
  verificationUriComplete: string;
  /** Seconds. */
  expiresIn: number;
  /** Seconds between two questions. */
  interval: number;
}

/** Takes in the device that shows a code, as a member of rooms where one is an owner or admin. */
export interface ClaimApproval {
  userCode: string;
  /** What it is called; default: as it said. */
  name?: string;
  rooms?: string[];
}

/** How a device reaches the broker; `password` is shown this one time. */
export interface MqttAccess {
  host: string;
  port: number;
  tls: boolean;
  clientId: string;
  /** The broker also takes `clientId` followed by `-` and anything. */
  clientIdSuffix: boolean;
  username: string;
  password: string;
  topics: Record<string, string>;
}

/** A device just made. */
export interface DeviceAnswer {
  device: Device;
  mqtt: MqttAccess;
}

/** The state of a device after a wish; `duplicate`: it was so before. */
export interface StateAnswer {
  state: DeviceState;
  duplicate: boolean;
}

/** A command that a device takes. */
export interface CommandDefinition {
  name: string;
  description?: string;
  /** It must be sent with `confirm`. */
  dangerous?: boolean;
  /** The least role that may send it; default `member`. */
  minRole?: "member" | "admin" | "owner";
  /** How long it may take when its sender does not say: 1 to 86,400, default 30. */
  timeoutSeconds?: number;
  /** A sentence for each argument. */
  args?: Record<string, string>;
}

/** A command with who, what, when, and what became of it. */
export interface CommandRecord {
  id: string;
  /** The message that holds it. */
  seq: number;
  device: PublicPrincipal;
  sender: PublicPrincipal;
  name: string;
  /** Absent when they were deleted with the message. */
  args?: Metadata;
  status: CommandStatus;
  createdAt: Timestamp;
  expiresAt: Timestamp;
  settledAt?: Timestamp;
  /** The message with which the device answered. */
  answer?: number;
}

/** Read cursor and what is left unread. */
export interface ReadAnswer {
  read: number;
  unread: number;
}

/** A membership as one answer. */
export interface MemberAnswer {
  member: Member;
}
