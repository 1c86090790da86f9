import type { History } from "./history.ts";
import type { RoomIndex } from "./checks/room_index.ts";

/** A promise that a run saw broken. */
export interface Violation {
  /** Which invariant, such as `order` or `revocation`. */
  check: string;
  /** One sentence for people. */
  message: string;
  /** What shows it: the records concerned. */
  evidence: unknown;
}

/** One invariant: judges what a run saw, in time about linear to it. */
export type Check = (history: History, rooms: ReadonlyMap<string, RoomIndex>) => Violation[];
