import { ModelStore } from "./store.ts";

/** A private room, and one that is public at first. */
export const ROOMS = ["r0", "r1"] as const;

/** Entries that make each room, and that no restore takes away. */
const FOUNDING = 7;

/** A store with both rooms. Nobody but the first three people are ever in the private one. */
export function foundRooms(): ModelStore {
  const store = new ModelStore(ROOMS, FOUNDING);
  const [first, second] = ROOMS;
  for (const who of [0, 1, 2]) store.commit(first, { kind: "add", who, role: "member" });
  store.commit(second, { kind: "add", who: 0, role: "owner" });
  store.commit(second, { kind: "add", who: 1, role: "member" });
  store.commit(second, { kind: "privacy", who: 0 });
  for (const room of ROOMS) {
    while (store.head(room) < FOUNDING) store.commit(room, { kind: "send", who: 1 });
  }
  return store;
}
