import type { OutboxItem, OutboxStore } from "../../lib/client/mod.ts";

/** Keeps what was not sent yet through a reload; one key per message, so that tabs do not clash. */
export function browserOutboxStore(user: string): OutboxStore {
  const prefix = (room: string) => `confab.outbox.${user}.${room}.`;
  return {
    load(room) {
      const items: OutboxItem[] = [];
      for (let i = 0; i < localStorage.length; i++) {
        const key = localStorage.key(i);
        if (!key?.startsWith(prefix(room))) continue;
        items.push(JSON.parse(localStorage.getItem(key)!) as OutboxItem);
      }
      return items;
    },
    put(room, item) {
      localStorage.setItem(prefix(room) + item.clientId, JSON.stringify(item));
    },
    remove(room, clientId) {
      localStorage.removeItem(prefix(room) + clientId);
    },
  };
}
