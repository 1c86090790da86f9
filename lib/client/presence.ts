import type { RoomPresence, Signal } from "../protocol.ts";

/** What has changed about who is online; see {@link applyPresence}. */
export type PresenceChange = Omit<Extract<Signal, { type: "presence" }>, "type">;

/** Who is online after a change. */
export function applyPresence(before: RoomPresence, change: PresenceChange): RoomPresence {
  if (change.state !== "known") return { state: change.state, items: [] };
  const items = new Map(before.items.map((item) => [item.principal, item]));
  for (const item of change.changes) items.set(item.principal, item);
  return { state: "known", items: [...items.values()] };
}

/** Reads who is online, with what is signalled while the answer is on its way. */
export class PresenceReader {
  #read: () => Promise<RoomPresence>;
  #reading = new Set<PresenceChange[]>();

  constructor(read: () => Promise<RoomPresence>) {
    this.#read = read;
  }

  async read(): Promise<RoomPresence> {
    const meanwhile: PresenceChange[] = [];
    this.#reading.add(meanwhile);
    try {
      return meanwhile.reduce(applyPresence, await this.#read());
    } finally {
      this.#reading.delete(meanwhile);
    }
  }

  /** Takes a signal. */
  receive(change: PresenceChange): void {
    for (const meanwhile of this.#reading) meanwhile.push(change);
  }
}
