import type { LogEntry, RoomId, Signal } from "../protocol.ts";

/** What a bus hands to the node that serves a room. Calls must not throw and must not block. */
export interface BusSink {
  /** Committed entries, possibly repeated, missing or out of order. */
  entries(entries: LogEntry[]): void;
  /** The room has entries up to `seq` that are not in this notice (too large, or repeated sends). */
  head(seq: number): void;
  /** A signal that is never stored. */
  signal(signal: Signal): void;
}

/**
 * Access that has ended and must end everywhere: a session, or everything of a principal. Of a
 * `device` only the credentials or rooms have become more: bridges look again, nothing ends.
 */
export type Revocation = { session: string } | { principal: string } | { device: string };

/**
 * Carries committed log entries between nodes, at most once and in no promised order:
 * the store holds the truth and `seq` shows what went missing. No call of this port ever fails
 * or delays the action that announces something: errors are counted and logged inside.
 */
export interface Bus extends AsyncDisposable {
  /** Hands `entries` to every node that serves their room, this one included (this one at once). */
  publish(entries: LogEntry[]): void;
  /** Says that `room` has entries up to `head`, without carrying them. */
  announce(room: RoomId, head: number): void;
  /** Hands a signal to the same nodes; never stored, may be lost. */
  signal(room: RoomId, signal: Signal): void;
  /** Delivers what concerns `room` from the moment the promise resolves; the result stops it. */
  serve(room: RoomId, sink: BusSink): Promise<() => void>;
  /** Tells every node, this one included, that access has ended. */
  revoke(revocation: Revocation): void;
  /** Registers what to do on a revocation and after the link to other nodes was lost and is back. */
  listen(listener: BusListener): void;
}

/** What a node does about the bus as a whole. */
export interface BusListener {
  revoked(revocation: Revocation): void;
  /** The link to the other nodes is back: entries and revocations may be missing. */
  resumed(): void;
  /** The link to the other nodes is down (`false`) or up (`true`). */
  connected(up: boolean): void;
}
