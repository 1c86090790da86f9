import type { Metadata, PublicPrincipal, Timestamp } from "./protocol.ts";

/** What devices in rooms are and shall be, as every protocol carries it. */

/** What a device shall be; `version` rises with each change: it is the seq of the entry. */
export interface DesiredState {
  version: number;
  desired: Metadata;
}

/** What a device in a room shall be (desired), and what it says that it is (reported). */
export interface DeviceState {
  device: PublicPrincipal;
  /** Absent: nothing was ever wished for. */
  desired?: Metadata;
  /** The seq of the entry that holds it; 0: there is none. */
  desiredVersion: number;
  desiredAt?: Timestamp;
  desiredBy?: PublicPrincipal;
  /** Absent: the device says nothing. */
  reported?: Metadata;
  /** Counts the changes. */
  reportedVersion: number;
  reportedAt?: Timestamp;
  /** What of `desired` is not so in `reported`, as a merge patch (RFC 7386). */
  delta: Metadata;
}

/** What a device has reported, and what is left to do of the desired state with that version. */
export type ReportedState = Omit<DeviceState, "desired" | "desiredAt" | "desiredBy">;

/**
 * Something about a device that its room should know: it is `silent` although it is expected to
 * say something every `expectedSeconds`, or it has been heard again (`back`).
 */
export interface DeviceAlert {
  kind: "silent" | "back";
  /** When it was last heard; absent: never. */
  lastSeen?: Timestamp;
  expectedSeconds?: number;
}

/** Whether a device is there, as it said itself, and what is expected of it. */
export interface DeviceStatus {
  device: PublicPrincipal;
  online: boolean;
  /** It keeps coming and going. */
  unstable: boolean;
  /** The newest that was heard of: births and last wills of older ones count for nothing. */
  session: number | string | null;
  /** Since when it is online, or not; null: it never said. */
  since: Timestamp | null;
  /** When it was last heard, up to 15 seconds late; null: never. */
  lastSeen: Timestamp | null;
  /** It should be heard so often; null: nothing is expected. */
  expectedSeconds: number | null;
  /** It has not been heard for longer than that, and its rooms were told. */
  silent: boolean;
}
