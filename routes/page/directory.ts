import { Emitter } from "../../lib/client/mod.ts";
import type { ConfabClient, JoinedRoom, Message, Room } from "../../lib/client/mod.ts";

/** A room of one's own, followed live. */
export interface ListedRoom {
  info: JoinedRoom;
  room: Room;
  /** The newest message that is known. */
  last?: Message;
}

const REFRESH_MS = 30_000;
/** Rooms followed at once: what one connection may join. */
const MAX_FOLLOWED = 100;
const MAX_PREVIEWS = 40;

/** All rooms of the signed-in person, kept up to date. */
export class Directory extends Emitter<
  { changed: undefined; removed: string; evicted: ListedRoom }
> {
  #client: ConfabClient;
  #listed = new Map<string, ListedRoom>();
  #leaving = new Set<string>();
  #loaded = false;
  #timer: ReturnType<typeof setInterval> | undefined;
  #previews = 0;

  constructor(client: ConfabClient) {
    super();
    this.#client = client;
    client.on("ready", () => void this.refresh());
  }

  /** True once the list has been read. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** The room with the latest message first. */
  get rooms(): ListedRoom[] {
    return [...this.#listed.values()].sort((a, b) => activeAt(b).localeCompare(activeAt(a)));
  }

  get unread(): number {
    return this.rooms.reduce((sum, { room }) => sum + room.unread, 0);
  }

  get(id: string): ListedRoom | undefined {
    return this.#listed.get(id);
  }

  /** Reads the list now and then: nobody is told of an invitation. */
  start(): void {
    this.#timer = setInterval(() => {
      if (document.visibilityState === "visible") void this.refresh();
    }, REFRESH_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Takes in a room one has just made or joined. */
  add(info: JoinedRoom): ListedRoom {
    const known = this.#listed.get(info.id);
    if (known !== undefined) {
      known.info = info;
      return known;
    }
    const listed: ListedRoom = { info, room: this.#client.room(info.id) };
    this.#listed.set(info.id, listed);
    this.#follow(listed);
    this.emit("changed", undefined);
    return listed;
  }

  /** Leaves a room; throws when the server refuses. */
  async leave(id: string): Promise<void> {
    this.#leaving.add(id);
    try {
      await this.#client.rest.leaveRoom(id);
      this.remove(id);
    } finally {
      this.#leaving.delete(id);
    }
  }

  /** Drops a room one is in no more. */
  remove(id: string): void {
    if (!this.#listed.delete(id)) return;
    this.#client.forget(id);
    this.emit("removed", id);
    this.emit("changed", undefined);
  }

  /** Reads the list of rooms; what fails is tried again later. */
  async refresh(): Promise<void> {
    try {
      const found = new Set<string>();
      let next: string | null | undefined;
      do {
        const page = await this.#client.rest.rooms(next);
        for (const info of page.items) {
          found.add(info.id);
          this.add(info);
        }
        next = page.next;
      } while (next !== null && found.size < MAX_FOLLOWED);
      if (next === null) {
        for (const id of this.#listed.keys()) if (!found.has(id)) this.remove(id);
      }
      this.#loaded = true;
      this.emit("changed", undefined);
    } catch { /* The connection banner tells, and the next refresh tries again. */ }
  }

  #follow(listed: ListedRoom): void {
    const { room } = listed;
    room.on("message", (message) => {
      listed.last = message;
      this.emit("changed", undefined);
    });
    room.on("change", (message) => {
      if (listed.last?.seq === message.seq) listed.last = message;
      this.emit("changed", undefined);
    });
    room.on("entry", ({ event }) => {
      if (event.type === "room.updated") Object.assign(listed.info, event.settings);
    });
    room.on("unread", () => this.emit("changed", undefined));
    room.on("evicted", ({ code }) => {
      if (code === "too_many_rooms" || !this.#listed.has(room.id)) return;
      if (!this.#leaving.has(room.id)) this.emit("evicted", listed);
      this.remove(room.id);
    });
    room.join().catch(() => {});
    if (listed.info.head > 0 && this.#previews++ < MAX_PREVIEWS) void this.#preview(listed);
  }

  async #preview(listed: ListedRoom): Promise<void> {
    try {
      const { messages } = await this.#client.rest.messages(listed.room.id, { limit: 1 });
      listed.last ??= messages.at(-1)!;
      this.emit("changed", undefined);
    } catch { /* A preview is no necessity. */ }
  }
}

/** What a room is called: a direct one after the other person. */
export function roomName({ info }: ListedRoom): string {
  return info.kind === "direct" ? info.peer?.name ?? "Direct message" : info.name;
}

function activeAt({ info, last }: ListedRoom): string {
  return last?.at ?? info.createdAt;
}
