import type { PrincipalId, RoomId } from "../../lib/protocol.ts";
import type { Via, WriteKind, WriteRecord } from "../history.ts";

/** Somebody's program: it follows rooms, writes, or both. */
export interface Client {
  /** Its name in the records. */
  readonly name: string;
  readonly principal: PrincipalId;
  readonly via: Via;
  /** Follows a room from now until the end, whatever happens. */
  follow(room: RoomId): void;
  /** The seq up to which it has everything; undefined: it does not follow the room. */
  position(room: RoomId): number | undefined;
  /** Whether it holds a live connection right now, as far as it knows. */
  readonly connected: boolean;
  /** Ends every connection without a word; it comes back by itself. Returns how many there were. */
  cut(): number;
  /** Ends; resolves when nothing of it is left. */
  stop(): Promise<void>;
}

/** A client that writes. What it takes on is repeated until it is answered. */
export interface Writer extends Client {
  /** What a client of this kind can ask for. */
  readonly writes: readonly WriteKind["type"][];
  /** Writes that have no answer yet. */
  readonly backlog: number;
  write(room: RoomId, what: WriteKind): WriteRecord;
}
