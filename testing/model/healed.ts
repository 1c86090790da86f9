import { BrokenPromise } from "./broken_promise.ts";
import type { ModelClient } from "./client.ts";
import type { ModelRoom } from "./client_room.ts";
import { MESSAGE_PAGE } from "./client_messages.ts";
import type { ModelStore } from "./store.ts";

/** A client and a room that it wants and may see. */
export interface Wanted {
  client: ModelClient;
  room: ModelRoom;
}

/** The rooms that clients want and may see. */
export function wantedRooms(store: ModelStore, clients: readonly ModelClient[]): Wanted[] {
  return clients.flatMap((client) =>
    client.rooms.filter(({ id, status }) => status !== "idle" && store.sees(id, client.who))
      .map((room) => ({ client, room }))
  );
}

/** Throws BrokenPromise unless everything holds that must hold in a world that has healed. */
export function checkHealed(store: ModelStore, clients: readonly ModelClient[]): void {
  for (const wanted of wantedRooms(store, clients)) {
    checkRoom(store, wanted);
    checkTimeline(store, wanted);
  }
  for (const { who, rooms } of clients) {
    for (const { id, status } of rooms) {
      if (store.sees(id, who) || status === "idle" || status === "evicted") continue;
      throw new BrokenPromise(`p${who} has no access to ${id} and was not told`);
    }
  }
}

function checkRoom(store: ModelStore, { client, room }: Wanted): void {
  const { id, status, cursor, applied: { last } } = room;
  const name = `p${client.who} in ${id}`;
  const end = `${store.epoch}:${store.head(id)}`;
  if (status !== "live") throw new BrokenPromise(`${name} is ${status} and not live`);
  const stands = `${last?.epoch}:${last?.seq}`;
  if (stands !== end) throw new BrokenPromise(`${name} has applied ${stands} and not ${end}`);
  const at = `${cursor?.epoch}:${cursor?.seq}`;
  if (at !== end) throw new BrokenPromise(`${name} has the cursor ${at} and not ${end}`);
  const held = client.connection?.rooms.get(id)?.subscription?.role;
  const role = store.role(id, client.who);
  if (held !== role) throw new BrokenPromise(`${name} is ${role} and is taken for ${held}`);
}

/** Pages and all that came after them are what a fresh read shows. */
function checkTimeline(
  store: ModelStore,
  { client: { who }, room: { id, messages: { timeline } } }: Wanted,
) {
  const held = timeline.messages;
  const count = Math.max(held.length, MESSAGE_PAGE);
  const { messages, hasMore } = store.messagesAs(id, who, count)!;
  const same = timeline.hasEarlier === hasMore && held.length === messages.length &&
    messages.every((message, i) => {
      const { seq, updatedSeq, text } = held[i]!;
      return seq === message.seq && updatedSeq === message.updatedSeq && text === message.text;
    });
  if (same) return;
  const show = (all: readonly { seq: number; updatedSeq: number }[]) =>
    all.map(({ seq, updatedSeq }) => `${seq}@${updatedSeq}`).join();
  throw new BrokenPromise(`p${who} in ${id} shows ${show(held)} and the log ${show(messages)}`);
}
